/**
 * A bundle's files made bad, through the command line that engines call: a root full of symbolic links,
 * files of another kind, and a bundle that changes while it is used. Each is run or refused, and nothing
 * is left, or changed, on the host. TSRUN_FUZZ_ROUNDS tries more, TSRUN_FUZZ_SEED others.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { unavailable } from "../../engines/private-host.ts";
import type { CliResult } from "../../support/cli.ts";
import { type Json, random } from "../../support/mutate-json.ts";
import { goodConfig } from "./good-config.ts";
import { type HostileBundle, SealedHost } from "./sealed-host.ts";

const ROUNDS = Number(process.env["TSRUN_FUZZ_ROUNDS"] ?? 10);
const SEED = Number(process.env["TSRUN_FUZZ_SEED"] ?? 0x6c69_6e6b);

describe("a hostile bundle", { skip: unavailable() ?? false }, () => {
  let host: SealedHost;

  before(async () => {
    host = await SealedHost.open();
  });
  after(() => host[Symbol.asyncDispose]());

  const runs = ({ id, folder }: HostileBundle) => host.call("run", "--bundle", folder, id);

  it("a root in which every path is a link leads nowhere", async () => {
    const pick = random(SEED);
    const aims = [
      ...[host.victim, "../../../../../../../../../../proc/self/root", "/proc/self/cwd"],
      ...["/", ".", "..", "loop", "/nowhere/at/all", "/proc/1/root/tmp", "../../victim"],
    ];
    const paths = [
      ...["dev", "proc", "sys", "tmp", "srv", "etc", "data", "run", "root", "masked", "loop"],
    ];
    for (let round = 0; round < ROUNDS; round += 1) {
      const bundle = await host.bundle(goodConfig());
      const made: string[] = [];
      for (const path of paths.filter(() => pick(3) > 0)) {
        const link = join(bundle.folder, "rootfs", path);
        rmSync(link, { recursive: true, force: true });
        const aim = aims[pick(aims.length)] ?? "/";
        symlinkSync(aim, link);
        made.push(`${path} -> ${aim}`);
      }
      await host.assertHarmless(await runs(bundle), made.join(", "));
    }
  });

  /** What is done to a bundle, by its folder, that makes it unusable. */
  const SPOILS: Readonly<Record<string, (folder: string) => unknown>> = {
    "no configuration": (folder) => rmSync(join(folder, "config.json")),
    "an empty configuration": (folder) => writeFileSync(join(folder, "config.json"), ""),
    "a configuration that is a directory": (folder) => {
      rmSync(join(folder, "config.json"));
      mkdirSync(join(folder, "config.json"));
    },
    "a configuration that is a link to itself": (folder) => {
      rmSync(join(folder, "config.json"));
      symlinkSync("config.json", join(folder, "config.json"));
    },
    "a configuration that is a FIFO": (folder) => {
      rmSync(join(folder, "config.json"));
      return host.run(["mkfifo", join(folder, "config.json")]);
    },
    "a configuration without an end": (folder) => {
      rmSync(join(folder, "config.json"));
      symlinkSync("/dev/zero", join(folder, "config.json"));
    },
    "a root that is a file": (folder) => {
      rmSync(join(folder, "rootfs"), { recursive: true });
      writeFileSync(join(folder, "rootfs"), "");
    },
    "a root that is a link to itself": (folder) => {
      rmSync(join(folder, "rootfs"), { recursive: true });
      symlinkSync("rootfs", join(folder, "rootfs"));
    },
    "an empty root": (folder) => {
      rmSync(join(folder, "rootfs"), { recursive: true });
      mkdirSync(join(folder, "rootfs"));
    },
    "no volume": (folder) => rmSync(join(folder, "data"), { recursive: true }),
  };
  for (const [what, spoil] of Object.entries(SPOILS)) {
    it(`${what} is refused`, async () => {
      const bundle = await host.bundle(goodConfig());
      await spoil(bundle.folder);
      const result = await runs(bundle);
      await host.assertHarmless(result, what);
      assert.notEqual(result.status, 0);
    });
  }

  it("users that are a FIFO or a device keep nothing waiting", async () => {
    for (const node of ["p", "c 1 5"]) {
      const bundle = await host.bundle(goodConfig());
      const passwd = join(bundle.folder, "rootfs/etc/passwd");
      rmSync(passwd);
      await host.run(["mknod", passwd, ...node.split(" ")]);
      await host.assertHarmless(await runs(bundle), node);
    }
  });

  /** Runs a bundle of which two paths are exchanged all the time. */
  async function runExchanging(bundle: HostileBundle, one: string, other: string) {
    const swapper = join(import.meta.dirname, "swapper.py");
    const paths = [one, other].map((path) => join(bundle.folder, path));
    const child = spawn("python3", [swapper, ...paths], { stdio: ["ignore", "pipe", "inherit"] });
    const results: CliResult[] = [];
    try {
      await once(child.stdout, "data");
      for (let round = 0; round < ROUNDS; round += 1) {
        const result = await runs(bundle);
        await host.assertHarmless(result, `${one} and ${other} exchanged, round ${round}`);
        results.push(result);
      }
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    return results;
  }

  it("one of two configurations that are exchanged is run, never a mixture", async () => {
    const saying = (word: string) => {
      const config = goodConfig() as { process: { args: Json }; hostname: Json };
      config.process.args = ["sh", "-c", `echo $(hostname) ${word}`];
      config.hostname = word;
      return config as unknown as Json;
    };
    const bundle = await host.bundle(saying("one"));
    writeFileSync(join(bundle.folder, "other.json"), JSON.stringify(saying("other")));
    for (const { status, stdout, stderr } of await runExchanging(
      bundle,
      "config.json",
      "other.json",
    )) {
      assert.equal(status, 0, stderr);
      assert.match(stdout, /^(one one|other other)\n$/);
    }
  });

  it("one of two roots that are exchanged is entered, never both", async () => {
    const config = goodConfig() as { process: { args: Json } };
    config.process.args = ["sh", "-c", "echo $(cat /etc/name /srv/name)"];
    const bundle = await host.bundle(config as unknown as Json);
    const [one, other] = [join(bundle.folder, "rootfs"), join(bundle.folder, "other")];
    cpSync(one, other, { recursive: true, verbatimSymlinks: true });
    for (const root of [one, other]) {
      for (const file of ["etc/name", "srv/name"]) {
        writeFileSync(join(root, file), `${basename(root)}\n`);
      }
    }
    for (const { status, stdout, stderr } of await runExchanging(bundle, "rootfs", "other")) {
      assert.equal(status, 0, stderr);
      assert.match(stdout, /^(rootfs rootfs|other other)\n$/);
    }
  });

  it("mount points that are exchanged for links lead nowhere", async () => {
    const bundle = await host.bundle(goodConfig());
    const root = join(bundle.folder, "rootfs");
    symlinkSync(host.victim, join(root, "link"));
    await runExchanging(bundle, "rootfs/data", "rootfs/link");
  });

  it("what is gone after create does not keep a container from its end", async () => {
    for (const gone of ["config.json", "rootfs", "data", ""]) {
      const bundle = await host.bundle(goodConfig());
      assert.equal((await host.create(bundle)).status, 0);
      renameSync(join(bundle.folder, gone), `${bundle.folder}.gone`);
      for (const command of ["start", "state"]) {
        host.assertNoCrash(await host.call(command, bundle.id), `${command} without "${gone}"`);
      }
      await host.assertHarmless(
        await host.call("delete", "--force", bundle.id),
        `without "${gone}"`,
      );
    }
  });
});
