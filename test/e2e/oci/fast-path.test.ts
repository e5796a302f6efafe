/**
 * A container's short calls, done by native/fast-path or by Node: nobody can tell which, but for the time.
 */
import assert from "node:assert/strict";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type CallResult, installWithoutFastPath, OciBundle } from "../../support/oci.ts";
import { busyboxRoot } from "../../support/roots.ts";

const FAST = join(import.meta.dirname, "../../../native/build/tsrun-oci-fast");
/** Where it should have called Node, it fails. */
const WITHOUT_NODE = { program: [FAST, "/bin/false", "--", "script"] };

let base = "";
let slow = { program: [] as readonly string[] };
before(() => {
  base = mkdtempSync(join(tmpdir(), "tsrun-oci-slow-"));
  slow = { program: [installWithoutFastPath(join(base, "package"))] };
});
after(() => rmSync(base, { recursive: true, force: true }));

async function must(bundle: OciBundle, ...args: readonly string[]): Promise<void> {
  const result = await bundle.call(args);
  assert.deepEqual(result, { ...result, status: 0, stderr: "" });
}

async function stop(bundle: OciBundle): Promise<void> {
  await must(bundle, "kill", "c1", "9");
  while ((await bundle.state("c1")).status !== "stopped");
}

/** As if the host had been started anew since. */
function forgetBoot(bundle: OciBundle): void {
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  for (const name of ["state.json", "fast-path"]) {
    const file = join(bundle.root, "c1", name);
    const text = readFileSync(file, "utf8");
    assert.ok(text.includes(boot));
    writeFileSync(file, text.replaceAll(boot, boot.replace(/^./, "x")));
  }
}

/** How a container comes to be so. */
const SITUATIONS: Readonly<Record<string, (bundle: OciBundle) => Promise<void>>> = {
  absent: async () => {},
  created: (bundle) => must(bundle, "create", "c1"),
  running: async (bundle) => {
    await must(bundle, "create", "c1");
    await must(bundle, "start", "c1");
  },
  paused: async (bundle) => {
    await must(bundle, "create", "c1");
    await must(bundle, "start", "c1");
    await must(bundle, "pause", "c1");
  },
  stopped: async (bundle) => {
    await must(bundle, "create", "c1");
    await must(bundle, "start", "c1");
    await stop(bundle);
  },
  "never started, and ended": async (bundle) => {
    await must(bundle, "create", "c1");
    await stop(bundle);
  },
  "of another boot": async (bundle) => {
    await must(bundle, "create", "c1");
    await stop(bundle);
    forgetBoot(bundle);
  },
};

const CALLS = [
  ["state", "c1"],
  ["start", "c1"],
  ["pause", "c1"],
  ["resume", "c1"],
  ["kill", "c1", "15"],
  ["kill", "c1", "KILL"],
  ["kill", "--all", "c1", "9"],
  ["kill", "--all", "c1", "15"],
  ["delete", "c1"],
  ["delete", "--force", "c1"],
];

/** What differs between two containers and two moments. */
function withoutNames({ status, stdout, stderr }: CallResult, { base: folder }: OciBundle) {
  const plain = (text: string) =>
    text
      .replaceAll(folder, "BASE")
      .replace(/"pid": [1-9]\d*/, '"pid": PID')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME");
  return { status, stdout: plain(stdout), stderr: plain(stderr) };
}

/** What a call says, and what is there afterwards. */
async function outcome(situation: string, words: readonly string[], how: object) {
  await using bundle = await OciBundle.create();
  await SITUATIONS[situation]?.(bundle);
  const said = withoutNames(await bundle.call(words, how), bundle);
  const [shown] = words[0] === "kill" ? [] : [await bundle.call(["state", "c1"], slow)];
  return {
    said,
    shown: shown && withoutNames(shown, bundle),
    records: existsSync(join(bundle.root, "c1")),
    cgroup: existsSync(bundle.cgroup()),
  };
}

describe("tsrun-oci, with its fast path and without", { concurrency: 4 }, () => {
  for (const situation of Object.keys(SITUATIONS)) {
    for (const words of CALLS) {
      it(`is the same: ${words.join(" ")} where c1 is ${situation}`, async () => {
        const [fast, node] = await Promise.all([
          outcome(situation, words, {}),
          outcome(situation, words, slow),
        ]);
        assert.deepEqual(fast, node);
      });
    }
  }

  it("is the same where the program cannot be executed", async () => {
    const rootfs = join(base, "rootfs");
    cpSync(await busyboxRoot(), rootfs, { recursive: true, verbatimSymlinks: true });
    writeFileSync(join(rootfs, "bin/broken"), "#!/nowhere\n");
    chmodSync(join(rootfs, "bin/broken"), 0o755);
    const start = async (how: object) => {
      await using bundle = await OciBundle.create((config) => {
        config.root.path = rootfs;
        config.process.args = ["/bin/broken"];
      });
      await must(bundle, "create", "c1");
      return withoutNames(await bundle.call(["start", "c1"], how), bundle);
    };
    const [fast, node] = [await start({}), await start(slow)];
    assert.equal(fast.status, 1);
    assert.match(fast.stderr, /no such file or directory/);
    assert.deepEqual(fast, node);
  });
});

describe("tsrun-oci-fast, a container's life without Node", () => {
  it("shows, starts, pauses, resumes, signals and deletes it", async () => {
    await using bundle = await OciBundle.create((config) => {
      config.process.args = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"];
    });
    const does = async (...args: readonly string[]) => {
      const { status, stdout } = await bundle.call(args, WITHOUT_NODE);
      assert.equal(status, 0, args.join(" "));
      return stdout;
    };
    const shows = async () => JSON.parse(await does("state", "c1")).status;
    await must(bundle, "create", "c1");
    assert.equal(await shows(), "created");
    await does("start", "c1");
    assert.equal(await shows(), "running");
    await does("pause", "c1");
    assert.equal(await shows(), "paused");
    await does("resume", "c1");
    await does("kill", "c1", "15");
    while ((await shows()) !== "stopped");
    await does("kill", "--all", "c1", "9");
    await does("delete", "c1");
    await does("delete", "--force", "c1");
    assert.equal(existsSync(join(bundle.root, "c1")), false);
    assert.equal(existsSync(bundle.cgroup()), false);
  });

  it("is not asked for what takes more: processes that are left, hooks, a forced end", async () => {
    const hook = [{ path: "/bin/true" }];
    await using bundle = await OciBundle.create((config) => {
      config.hooks = { poststart: hook, poststop: hook };
    });
    const needsNode = async (...args: readonly string[]) => {
      assert.equal((await bundle.call(args, WITHOUT_NODE)).status, 1, args.join(" "));
    };
    await must(bundle, "create", "c1");
    await needsNode("start", "c1");
    await must(bundle, "start", "c1");
    await needsNode("delete", "--force", "c1");
    await stop(bundle);
    await needsNode("delete", "c1");
    await must(bundle, "delete", "c1");
  });
});
