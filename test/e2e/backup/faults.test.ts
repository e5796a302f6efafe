// @private
/**
 * kill -9 at every step of a backup and of a restore.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createContainer, listVolumes, removeVolume } from "../../../src/engine/index.ts";
import {
  NAME,
  type QuickScenario,
  RUN,
  strikeAtEveryStep,
  strikeQuickly,
  succeed,
  useStore,
} from "../../support/faults.ts";

/** A directory, and a file system of its own. */
const VOLUMES = ["sized-of-victim", "volume-of-victim"];
const [SIZED, VOLUME] = VOLUMES as [string, string];
const files = mkdtempSync(join(tmpdir(), "tsrun-faults-files-"));
const [out, prepared] = [join(files, "out.backup"), join(files, "prepared.backup")];

/** Exits with 0 only if volumes and root have what the backup has of them. */
const isWhole = () => succeed("start", "-a", NAME);

/** One whose cgroup was frozen is found paused. */
async function goesOn(): Promise<void> {
  if ((await succeed("inspect", "-f", "{{.State.Status}}", NAME)) === "paused") {
    await succeed("resume", NAME);
  }
  await succeed("exec", NAME, "true");
}

const SCENARIOS: Readonly<Record<string, QuickScenario>> = {
  "a backup of a running container": {
    given: () => succeed(...RUN),
    command: ["backup", NAME, out],
    afterwards: goesOn,
  },
  "a restore": {
    given: () => Promise.resolve(),
    command: ["backup", "restore", prepared],
    afterwards: isWhole,
    // The container has gone before; only volumes that were restored with it may be there still.
    clean: async (engine) => {
      const names = listVolumes(engine).map(({ name }) => name);
      if (names.length > 0) assert.deepEqual(names, VOLUMES);
      for (const name of VOLUMES) await removeVolume(engine, name, { force: true });
    },
  },
  "rm --backup": {
    given: (engine) => createContainer(engine, { name: NAME, image: "busybox", command: ["true"] }),
    command: ["rm", "--backup", out, NAME],
    afterwards: isWhole,
  },
};

useStore();
after(() => rmSync(files, { recursive: true, force: true }));

describe("kill -9 at every step of", () => {
  before(async () => {
    const mounts = ["-v", `${VOLUME}:/d`, "-v", `${SIZED}:/s`];
    await succeed("volume", "create", "--opt", "size=8m", SIZED);
    await succeed("run", "--rm", ...mounts, "busybox", "touch", "/d/in-volume", "/s/in-sized");
    const test = "test -e /d/in-volume -a -e /s/in-sized -a -e /in-root";
    await succeed("create", "--name", NAME, ...mounts, "busybox", ...test.split(" "));
    writeFileSync(out, "");
    await succeed("cp", out, `${NAME}:/in-root`);
    await succeed("backup", NAME, prepared);
    await succeed("volume", "rm", "-f", ...VOLUMES);
    // The directory in which backups are unpacked stays for good.
    await succeed("backup", "restore", prepared);
    await succeed("volume", "rm", "-f", ...VOLUMES);
  });

  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    it(name, async (t) => {
      const steps = await strikeAtEveryStep(async (fault) => {
        writeFileSync(out, "the file before");
        const result = await strikeQuickly(scenario, fault);
        checkFile();
        return result;
      });
      t.diagnostic(`${steps} steps`);
    });
  }
});

const ZSTD_MAGIC = "28b52ffd";

/** Whole or untouched; what is half written has another name, and is overwritten by the next. */
function checkFile(): void {
  const bytes = readFileSync(out);
  const whole = bytes.subarray(0, 4).toString("hex") === ZSTD_MAGIC;
  assert.ok(whole || bytes.toString() === "the file before");
  if (existsSync(`${out}.partial`)) rmSync(`${out}.partial`);
}
