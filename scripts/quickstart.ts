/** The second half of `npm run quickstart`: builds, imports the image "busybox", runs a container. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createBusyboxRoot } from "./busybox-root.ts";

const PROJECT = resolve(import.meta.dirname, "..");
const TSRUN = join(PROJECT, "bin/tsrun");
const IMAGE = "busybox";

run(process.execPath, [join(PROJECT, "scripts/build.ts")]);
if (process.getuid?.() !== 0) {
  process.stderr.write("quickstart: built. Containers need root: run it again as root.\n");
  process.exit(1);
}
importBusybox();
runContainer();
showNextSteps();

function say(line: string): void {
  process.stdout.write(`quickstart: ${line}\n`);
}

function run(command: string, args: readonly string[]): void {
  const { status, signal, error } = spawnSync(command, args, { stdio: "inherit" });
  if (error !== undefined) throw error;
  if (status !== 0) {
    process.stderr.write(
      `quickstart: ${command} ${args.join(" ")} ended with ${signal ?? status}\n`,
    );
    process.exit(1);
  }
}

function importBusybox(): void {
  const there = spawnSync(TSRUN, ["image", "inspect", IMAGE], { stdio: "ignore" });
  if (there.status === 0) {
    say(`the image "${IMAGE}" is there`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "tsrun-busybox-"));
  try {
    createBusyboxRoot({ busybox: "/bin/busybox", folder });
    say(`importing the image "${IMAGE}" (Debian's busybox-static)`);
    run(TSRUN, ["image", "import", "--cmd", "sh", folder, IMAGE]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** With the limits that this host's cgroup v2 can carry, and a word about those it cannot. */
function runContainer(): void {
  const limits = [
    { controller: "memory", flags: ["--memory", "64m"] },
    { controller: "cpu", flags: ["--cpus", "0.5"] },
    { controller: "pids", flags: ["--pids-limit", "32"] },
  ];
  const offered = cgroup2Controllers();
  const missing = limits.filter(({ controller }) => !offered.includes(controller));
  if (missing.length > 0) {
    const names = missing.map(({ controller }) => controller).join(", ");
    say(`this host's cgroup v2 has no controller for: ${names}; these limits are left out`);
  }
  const args = [
    ...[
      "run",
      "--rm",
      "--hostname",
      "first-container",
      "--ulimit",
      "nofile=256",
      "--shm-size",
      "16m",
    ],
    ...limits.filter((limit) => !missing.includes(limit)).flatMap(({ flags }) => flags),
  ];
  const script =
    'echo "hello from $(hostname): $(ps | wc -l) processes here, uid $(id -u), nofile $(ulimit -n)"';
  say(`tsrun ${[...args, IMAGE].join(" ")} sh -c '…'`);
  run(TSRUN, [...args, IMAGE, "sh", "-c", script]);
}

/** What the root of cgroup v2 offers, wherever it is mounted; [] without cgroup v2. */
function cgroup2Controllers(): string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const mountPoint = mounts.find((line) => line.includes(" - cgroup2 "))?.split(" ")[4];
  if (mountPoint === undefined) return [];
  return readFileSync(join(mountPoint, "cgroup.controllers"), "utf8").trim().split(" ");
}

function showNextSteps(): void {
  process.stdout.write(`
tsrun works. Next:
  npm link                                put tsrun on the PATH
  tsrun run --rm -it ${IMAGE} sh           a shell in a container
  tsrun run -d --name web ${IMAGE} httpd -f -p 8080
  tsrun ps                                what runs
  tsrun plan ${IMAGE} true                 what would be asked of the kernel
  npm test                                every test, on this machine and in a VM
`);
}
