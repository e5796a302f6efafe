import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, describe, it } from "node:test";
import { seccompFilter } from "../../../src/security/seccomp-cache.ts";
import type { OciSeccomp } from "../../../src/spec/index.ts";

const base = mkdtempSync(join(tmpdir(), "tsrun-seccomp-"));
after(() => rmSync(base, { recursive: true }));
let cacheDir = "";
let next = 0;
beforeEach(() => {
  cacheDir = join(base, `cache${next++}`);
});

/** A profile that no other test has: the in-process cache knows no directories. */
function profile(): OciSeccomp {
  const errnoRet = 100 + next;
  return {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["mount"], action: "SCMP_ACT_ERRNO", errnoRet }],
  };
}

function onlyFile(): string {
  const names = readdirSync(cacheDir);
  assert.equal(names.length, 1, names.join());
  return join(cacheDir, names[0] ?? "");
}

/** What another process gets for the profile from the directory, and whether it read libseccomp. */
function inOtherProcess(seccomp: OciSeccomp): { filter: string; compiled: boolean } {
  const source = new URL("../../../src/security/seccomp-cache.ts", import.meta.url).href;
  const script = `
    import { readFileSync } from "node:fs";
    const { seccompFilter } = await import(${JSON.stringify(source)});
    const filter = seccompFilter(${JSON.stringify(seccomp)}, { arch: "x64", cacheDir: ${JSON.stringify(cacheDir)} });
    const compiled = readFileSync("/proc/self/maps", "latin1").includes("libseccomp");
    console.log(JSON.stringify({ filter: Buffer.from(filter).toString("hex"), compiled }));`;
  const output = execFileSync(process.execPath, ["--input-type=module", "-e", script]);
  return JSON.parse(output.toString());
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("compiled filters", () => {
  it("are kept for other processes, which then do without libseccomp", () => {
    const seccomp = profile();
    const filter = seccompFilter(seccomp, { arch: "x64", cacheDir });
    assert.equal(statSync(onlyFile()).mode & 0o777, 0o600);
    assert.equal(statSync(cacheDir).mode & 0o777, 0o700);
    assert.deepEqual(inOtherProcess(seccomp), { filter: hex(filter), compiled: false });
  });

  it("are made once in a process", () => {
    const seccomp = profile();
    const first = seccompFilter(seccomp, { arch: "x64", cacheDir });
    rmSync(cacheDir, { recursive: true });
    assert.equal(seccompFilter({ ...seccomp }, { arch: "x64", cacheDir }), first);
  });

  const damage: readonly (readonly [how: string, spoil: (path: string) => void])[] = [
    ["cut short", (path) => truncateSync(path, statSync(path).size - 8)],
    ["emptied", (path) => truncateSync(path, 0)],
    ["not ours", (path) => writeFileSync(path, "something else")],
    ["writable by others", (path) => chmodSync(path, 0o622)],
    [
      "a link",
      (path) => {
        const copy = `${path}.copy`;
        writeFileSync(copy, readFileSync(path), { mode: 0o600 });
        rmSync(path);
        symlinkSync(copy, path);
      },
    ],
    [
      "made from another profile",
      (path) => {
        const bytes = readFileSync(path);
        bytes.write("ALLOW".toLowerCase(), bytes.indexOf("ALLOW"), "latin1");
        writeFileSync(path, bytes);
      },
    ],
    [
      "a directory",
      (path) => {
        rmSync(path);
        execFileSync("mkdir", [path]);
      },
    ],
  ];
  for (const [how, spoil] of damage) {
    it(`do not count when ${how}, and are made again`, () => {
      const seccomp = profile();
      const filter = hex(seccompFilter(seccomp, { arch: "x64", cacheDir }));
      spoil(onlyFile());
      assert.deepEqual(inOtherProcess(seccomp), { filter, compiled: true });
      assert.deepEqual(inOtherProcess(seccomp), { filter, compiled: false });
    });
  }

  it("differ with the architecture and the profile", () => {
    const seccomp = profile();
    seccompFilter(seccomp, { arch: "x64", cacheDir });
    seccompFilter(seccomp, { arch: "arm64", cacheDir });
    seccompFilter({ ...seccomp, defaultAction: "SCMP_ACT_LOG" }, { arch: "x64", cacheDir });
    assert.equal(readdirSync(cacheDir).length, 3);
  });

  it("may come from a profile with bigints", () => {
    const args = [{ index: 0, value: 2n ** 63n, op: "SCMP_CMP_EQ" }];
    const rules = [{ names: ["lseek"], action: "SCMP_ACT_ERRNO", args }];
    const filter = seccompFilter({ ...profile(), syscalls: rules }, { arch: "x64", cacheDir });
    assert.ok(filter.length > 0);
  });

  it("are made all the same where nothing can be kept", () => {
    const blocked = join(base, `file${next}`);
    writeFileSync(blocked, "");
    const filter = seccompFilter(profile(), { arch: "x64", cacheDir: join(blocked, "cache") });
    assert.ok(filter.length > 0 && filter.length % 8 === 0);
  });
});
