/**
 * npm run bench [-- --quick] [SECTION…]: tsrun beside crun, runc and podman in one run, taking turns, as
 * medians and ratios; then what many containers cost, and where the time goes. Needs root, and five minutes.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import type * as Library from "../src/index.ts";
import { measureBreakdown } from "./breakdown.ts";
import { measureCrowd } from "./crowd.ts";
import { measureEngines } from "./engines.ts";
import { measureImages } from "./images.ts";
import { loadLibrary } from "./library.ts";
import { type Contender, formatTimings, measure, type Target } from "./measure.ts";
import { measureLifecycle } from "./oci.ts";
import {
  enterCgroup2View,
  findPeers,
  type Peer,
  type PeerName,
  runPeer,
  startPeer,
} from "./peers.ts";
import { measureSnapshots } from "./snapshots.ts";
import { makeWorkspace, PROJECT, TSRUN, type Workspace } from "./workspace.ts";

const quick = process.argv.includes("--quick");
const ROUNDS = quick ? 10 : 40;
const CROWD = quick ? 60 : 500;

/** What is measured, in this order; each gives its table. */
const SECTIONS: Readonly<Record<string, (contest: Contest) => Promise<string>>> = {
  run: libraryRun,
  cli: commandLineRun,
  exec: libraryExec,
  oci: ({ workspace, peers }) => measureLifecycle(workspace, peers, ROUNDS),
  engines: () => measureEngines(quick ? 3 : 15),
  images: ({ library, workspace }) => measureImages(library, workspace, quick ? 2 : 7),
  snapshots: ({ library, workspace }) => measureSnapshots(library, workspace, quick ? 3 : 15),
  parts,
  crowd: ({ library, workspace }) => measureCrowd(library, workspace, CROWD),
  breakdown: ({ workspace }) => measureBreakdown(workspace, quick ? 10 : 50),
};
const words = process.argv.slice(2).filter((word) => word !== "--quick");
const wanted = words.length > 0 ? words : Object.keys(SECTIONS);

const why = cannotRun();
if (why) say(`skipped: ${why}`);
else if (!(await enterCgroup2View())) await bench();

function cannotRun(): string | undefined {
  const unknown = wanted.find((name) => !Object.hasOwn(SECTIONS, name));
  if (unknown) return `"${unknown}" is none of ${Object.keys(SECTIONS).join(", ")}`;
  if (process.getuid?.() !== 0) return "containers without root are not timed yet: run it as root";
  if (!existsSync("/bin/busybox")) return "needs /bin/busybox (apt-get install busybox-static)";
  return undefined;
}

async function bench(): Promise<void> {
  await execa(process.execPath, [join(PROJECT, "scripts/build.ts")], { stdio: "inherit" });
  await using workspace = await makeWorkspace();
  const library = await loadLibrary();
  const { peers, missing } = await findPeers(workspace.bundle);
  for (const { name, globals } of peers) say(`${name}: ${[name, ...globals].join(" ")} run`);
  for (const reason of missing) say(`skipped: ${reason}`);
  for (const name of wanted) say((await SECTIONS[name]?.({ library, workspace, peers })) ?? "");
}

interface Contest {
  readonly library: typeof Library;
  readonly workspace: Workspace;
  readonly peers: readonly Peer[];
}

/** run() against a program that uses the peer: the same specification on the same overlay. */
async function libraryRun({ library, workspace, peers }: Contest): Promise<string> {
  const { image, bundle, bundleWithoutSeccomp } = workspace;
  const timings = await measure(
    [
      {
        name: "tsrun: await run()",
        run: async () => {
          await library.run({ image, command: ["/bin/true"] });
        },
      },
      ...ofPeers(
        peers,
        (peer) => `execa("${peer.name} run")`,
        (peer) => runPeer(peer, bundle),
      ),
      ...ofPeers(peers, noFilter, (peer) => runPeer(peer, bundleWithoutSeccomp)),
    ],
    { rounds: ROUNDS, warmup: 2 * ROUNDS },
  );
  const targets = targetsFor(peers, { crun: 0.45, runc: 0.2 }, (name) => `execa("${name} run")`);
  return formatTimings("From a program: run /bin/true, to its exit status", timings, targets);
}

function noFilter({ name }: Peer): string {
  return `  ${name} without a seccomp filter`;
}

async function commandLineRun({ workspace, peers }: Contest): Promise<string> {
  const { rootfs, plainBundle } = workspace;
  const words = ["run", "--rm", "--rootfs", rootfs, "/bin/true"];
  const timings = await measure(
    [
      {
        name: "tsrun run --rm --rootfs",
        run: async () => {
          await execa(TSRUN, words, { stdin: "ignore" });
        },
      },
      ...ofPeers(
        peers,
        ({ name }) => `${name} run`,
        (peer) => runPeer(peer, plainBundle),
      ),
    ],
    { rounds: ROUNDS },
  );
  const targets = targetsFor(peers, { runc: 1.5 }, (name) => `${name} run`);
  return formatTimings("From a shell: the whole process", timings, targets);
}

async function libraryExec({ library, workspace, peers }: Contest): Promise<string> {
  await using running = new AsyncDisposableStack();
  const { image, sleepingBundle } = workspace;
  const container = running.use(await library.create({ image, command: ["/bin/sleep", "1000"] }));
  await container.start();
  const contenders: Contender[] = [
    {
      name: "tsrun: await container.exec()",
      run: async () => {
        await container.exec(["/bin/true"]);
      },
    },
  ];
  for (const peer of peers) {
    const { exec } = running.use(await startPeer(peer, sleepingBundle));
    contenders.push({ name: `execa("${peer.name} exec")`, run: exec });
  }
  const timings = await measure(contenders, { rounds: ROUNDS, warmup: ROUNDS });
  const targets = targetsFor(peers, { crun: 0.4 }, (name) => `execa("${name} exec")`);
  return formatTimings("A command in a running container", timings, targets);
}

/** What a part of the isolation costs: the same run without it. */
async function parts({ library, workspace }: Contest): Promise<string> {
  const { image, rootfs } = workspace;
  const host = { kind: "host" } as const;
  const command = ["/bin/true"];
  const without: Readonly<Record<string, Library.RunOptions>> = {
    "all of it": { image, command },
    "without an overlay (--rootfs)": { rootfs, command },
    "without a seccomp filter": { image, command, security: { seccomp: "unconfined" } },
    "with the host's network": { image, command, namespaces: { network: host } },
    "with the host's ipc and uts": { image, command, namespaces: { ipc: host, uts: host } },
    "privileged (no filters, masks, caps)": { image, command, privileged: true },
  };
  const contenders = Object.entries(without).map(([name, options]) => ({
    name,
    run: async () => {
      await library.run(options);
    },
  }));
  return formatTimings("What a part costs", await measure(contenders, { rounds: ROUNDS }), []);
}

function ofPeers(
  peers: readonly Peer[],
  name: (peer: Peer) => string,
  run: (peer: Peer) => Promise<void>,
): Contender[] {
  return peers.map((peer) => ({ name: name(peer), run: () => run(peer) }));
}

function targetsFor(
  peers: readonly Peer[],
  atMost: Partial<Readonly<Record<PeerName, number>>>,
  nameOf: (name: PeerName) => string,
): Target[] {
  return peers.flatMap(({ name }) => {
    const limit = atMost[name];
    return limit === undefined ? [] : [{ peer: nameOf(name), atMost: limit }];
  });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
