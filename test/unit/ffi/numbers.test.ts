import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { describe, it } from "node:test";
import { hasErrno, TsrunError } from "../../../src/base/errors.ts";
import { errnoMeaning, errnoName, errnoNumber } from "../../../src/ffi/errno.ts";
import { KernelError } from "../../../src/ffi/kernel-error.ts";
import { SYSCALL_NAMES, syscallNumber } from "../../../src/ffi/syscall-numbers.ts";

const HEADERS = {
  x64: "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
  // arm64 takes the generic table as it is; __NR3264_ entries are the 64-bit calls' numbers.
  arm64: "/usr/include/asm-generic/unistd.h",
} as const;

describe("system call numbers", () => {
  for (const arch of ["x64", "arm64"] as const) {
    it(`are those of the kernel's headers on ${arch}`, (t) => {
      if (!existsSync(HEADERS[arch])) return t.skip(`needs ${HEADERS[arch]} (linux-libc-dev)`);
      const header = readFileSync(HEADERS[arch], "utf8");
      const defined = new Map(
        [...header.matchAll(/^#define __NR(?:3264)?_(\w+)\s+(\d+)/gm)].map((match) => [
          match[1],
          Number(match[2]),
        ]),
      );
      // Newer than the headers of Debian 12.
      const unknown = SYSCALL_NAMES.filter((name) => !defined.has(name));
      assert.deepEqual(unknown, ["fchmodat2"]);
      for (const name of SYSCALL_NAMES) {
        if (defined.has(name)) assert.equal(syscallNumber(name, arch), defined.get(name), name);
      }
    });
  }

  it("are one number on both architectures since Linux 5.1", () => {
    for (const name of SYSCALL_NAMES) {
      const number = syscallNumber(name, "x64");
      if (number >= 424) assert.equal(syscallNumber(name, "arm64"), number, name);
    }
  });
});

describe("errno names", () => {
  it("agree with Node's own table", () => {
    const entries = Object.entries(constants.errno);
    assert.ok(entries.length > 70);
    for (const [name, number] of entries) {
      // Node lists EWOULDBLOCK and ENOTSUP beside the names that Linux gives the same numbers.
      if (name === "EWOULDBLOCK" || name === "ENOTSUP") continue;
      assert.equal(errnoName(number), name);
      assert.equal(errnoNumber(name), number);
      assert.notEqual(errnoMeaning(number), "unknown error");
    }
  });

  it("cover what Node leaves out", () => {
    assert.equal(errnoName(77), "EBADFD");
    assert.equal(errnoName(126), "ENOKEY");
    assert.equal(errnoName(4000), "errno 4000");
    assert.equal(errnoNumber("ENOSUCHTHING"), undefined);
  });
});

describe("KernelError", () => {
  it("names the call, the thing and the errno in one sentence", () => {
    const error = new KernelError("mount", 16, "/data");
    assert.equal(error.message, 'mount "/data" failed: EBUSY, device or resource busy');
    assert.equal(error.errno, "EBUSY");
    assert.equal(error.number, 16);
    assert.ok(error instanceof TsrunError);
    assert.ok(hasErrno(error, "EBUSY"));
    assert.ok(!hasErrno(error, "EPERM"));
  });

  it("leaves the quotes out where there is nothing to name", () => {
    assert.equal(
      new KernelError("pipe2", 24, "").message,
      "pipe2 failed: EMFILE, too many open files",
    );
  });

  it("has the code that fits its errno", () => {
    assert.equal(new KernelError("open", 13, "x").code, "PERMISSION");
    assert.equal(new KernelError("open", 1, "x").code, "PERMISSION");
    assert.equal(new KernelError("write", 28, "x").code, "NO_SPACE");
    assert.equal(new KernelError("write", 122, "x").code, "NO_SPACE");
    assert.equal(new KernelError("openat2", 38, "x").code, "UNSUPPORTED");
    assert.equal(new KernelError("open", 2, "x").code, "SYSTEM");
  });
});
