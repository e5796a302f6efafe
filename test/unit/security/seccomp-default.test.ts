import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { resolveSyscall, SECCOMP_ARCHES, type SeccompArch } from "../../../src/ffi/index.ts";
import { CAPABILITIES, DEFAULT_CAPABILITIES } from "../../../src/security/capabilities.ts";
import { compileSeccomp } from "../../../src/security/compile-seccomp.ts";
import {
  ALLOWED,
  ALLOWED_ON,
  ALLOWED_SINCE_4_8,
  ALLOWED_WITH,
  ALLOWED_WITH_EITHER,
  DEFAULT_SECCOMP_PROFILE,
  NOT_THERE,
  REFUSED,
} from "../../../src/security/seccomp-default.ts";
import { type MachineArch, planSeccomp } from "../../../src/security/seccomp-profile.ts";
import { runFilter } from "./bpf-interpreter.ts";

const ALLOW = "allow";
const HEADERS = "/usr/include/x86_64-linux-gnu/asm";

/** The profile's calls that arguments decide, and clone3. */
const BY_ARGUMENTS = ["clone", "clone3", "unshare", "personality", "socket"];

function calls(groups: readonly { readonly calls: string }[]): string[] {
  return groups.flatMap((group) => group.calls.split(/\s+/));
}

/** The calls that an ABI has and libseccomp knows, with their numbers. */
function callsOf(
  groups: readonly { readonly calls: string }[],
  abi: SeccompArch,
): (readonly [name: string, nr: number])[] {
  return calls(groups).flatMap((name) => {
    const nr = resolveSyscall(name, abi);
    return nr === undefined || nr < 0 ? [] : [[name, nr] as const];
  });
}

const everywhere = [
  ...calls(ALLOWED),
  ...calls(ALLOWED_ON),
  ...calls([ALLOWED_SINCE_4_8]),
  ...calls(ALLOWED_WITH),
  ...calls(ALLOWED_WITH_EITHER),
  ...calls(REFUSED),
  ...calls(NOT_THERE),
  ...BY_ARGUMENTS,
];

describe("the default profile's lists", () => {
  it("hold each call once", () => {
    const twice = everywhere.filter((name, index) => everywhere.indexOf(name) !== index);
    assert.deepEqual(twice, []);
  });

  for (const abi of ["64", "32", "x32"]) {
    it(`classify every call of x86's ${abi} interface`, (t) => {
      const path = `${HEADERS}/unistd_${abi}.h`;
      if (!existsSync(path)) return t.skip(`needs ${path} (linux-libc-dev)`);
      const header = readFileSync(path, "utf8");
      const names = [...header.matchAll(/#define __NR_(\w+)/g)].map((match) => match[1] ?? "");
      assert.ok(names.length > 300);
      assert.deepEqual(
        names.filter((name) => !everywhere.includes(name)),
        [],
      );
    });
  }

  it("classify every call of arm64", (t) => {
    const path = "/usr/include/asm-generic/unistd.h";
    if (!existsSync(path)) return t.skip(`needs ${path} (linux-libc-dev)`);
    const header = readFileSync(path, "utf8");
    const names = [...header.matchAll(/__SYSCALL\(__NR_(\w+),/g)].map((match) => match[1] ?? "");
    assert.ok(names.length > 200);
    assert.deepEqual(
      names.filter((name) => !everywhere.includes(name)),
      [],
    );
  });
});

interface Filter {
  readonly arch: MachineArch;
  readonly bytes: Uint8Array;
}

function filterFor(capabilities: readonly string[], arch: MachineArch = "x64", minor = 18): Filter {
  const facts = { arch, kernel: { major: 6, minor }, capabilities };
  return { arch, bytes: compileSeccomp(planSeccomp(DEFAULT_SECCOMP_PROFILE, facts), arch) };
}

/** "allow", or "EPERM"-like numbers, of one call by its name. */
function answer(
  filter: Filter,
  name: string,
  args: readonly bigint[] = [],
  abi: SeccompArch = filter.arch === "x64" ? "SCMP_ARCH_X86_64" : "SCMP_ARCH_AARCH64",
): string {
  const nr = resolveSyscall(name, abi);
  assert.ok(nr !== undefined && nr >= 0, `${name} does not exist on ${abi}`);
  return answerTo(filter, nr, args, abi);
}

function answerTo(
  filter: Filter,
  nr: number,
  args: readonly bigint[] = [],
  abi: SeccompArch = "SCMP_ARCH_X86_64",
): string {
  // x32 calls come with x86-64's architecture and bit 30 in the number.
  const arch = abi === "SCMP_ARCH_X32" ? SECCOMP_ARCHES.SCMP_ARCH_X86_64 : SECCOMP_ARCHES[abi];
  const value = runFilter(filter.bytes, { nr, arch, args });
  if (value === 0x7fff_0000) return ALLOW;
  if ((value & 0xffff_0000) >>> 0 === 0x0005_0000) return `errno ${value & 0xffff}`;
  return `0x${value.toString(16)}`;
}

const EPERM = "errno 1";
const EINVAL = "errno 22";
const ENOSYS = "errno 38";
const EAFNOSUPPORT = "errno 97";

const plain = filterFor(DEFAULT_CAPABILITIES);
const full = filterFor(CAPABILITIES);

describe("a container with the default capabilities", () => {
  it("may make every ordinary call, on every ABI of x86", () => {
    for (const abi of ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"] as const) {
      let seen = 0;
      for (const [name, nr] of callsOf([...ALLOWED, ALLOWED_SINCE_4_8], abi)) {
        assert.equal(answerTo(plain, nr, [], abi), ALLOW, `${name} on ${abi}`);
        seen++;
      }
      assert.ok(seen > 250, `${seen} calls on ${abi}`);
    }
  });

  it("may make calls that are newer than libseccomp, by number", () => {
    for (const nr of [335, 336, 451, 452, 454, 455, 456, 457, 458, 462, 463, 469]) {
      assert.equal(answerTo(plain, nr), ALLOW, `call ${nr}`);
    }
  });

  it("is told that calls do not exist which the list does not know", () => {
    for (const nr of [470, 471, 600, 1000]) assert.equal(answerTo(plain, nr), ENOSYS);
    for (const name of ["io_uring_setup", "io_uring_enter", "clone3", "ustat", "_sysctl"]) {
      assert.equal(answer(plain, name), ENOSYS, name);
    }
  });

  it("is refused what needs a capability that it does not have", () => {
    const has = (caps: readonly string[]) =>
      caps.some((cap) => DEFAULT_CAPABILITIES.some((name) => name === cap));
    let seen = 0;
    for (const group of [...ALLOWED_WITH, ...ALLOWED_WITH_EITHER]) {
      for (const [name, nr] of callsOf([group], "SCMP_ARCH_X86_64")) {
        assert.equal(answerTo(plain, nr), has(group.caps) ? ALLOW : EPERM, name);
        seen++;
      }
    }
    assert.ok(seen > 35, `${seen} calls`);
    for (const name of ["mount", "keyctl", "bpf", "setns", "pivot_root", "init_module", "reboot"]) {
      assert.equal(answer(plain, name), EPERM, name);
    }
    assert.equal(answer(plain, "chroot"), ALLOW);
  });

  it("may fork and make threads but no namespaces", () => {
    const CLONE_THREAD_FLAGS = 0x3d0f00n;
    const SIGCHLD = 17n;
    for (const flags of [SIGCHLD, CLONE_THREAD_FLAGS, 0x4111n, 0n]) {
      assert.equal(answer(plain, "clone", [flags]), ALLOW);
    }
    for (const bit of [
      0x20000n,
      0x2000000n,
      0x4000000n,
      0x8000000n,
      0x10000000n,
      0x20000000n,
      0x40000000n,
    ]) {
      assert.equal(answer(plain, "clone", [bit | SIGCHLD]), EPERM, bit.toString(16));
      assert.equal(answer(plain, "unshare", [bit]), EPERM, bit.toString(16));
      assert.equal(answer(plain, "unshare", [bit | 0x200n]), EPERM, bit.toString(16));
    }
    assert.equal(answer(plain, "clone", [0x7e020000n | SIGCHLD]), EPERM);
    assert.equal(answer(plain, "unshare", [0x80n]), EPERM);
    // CLONE_FS and CLONE_FILES: samba does this for its threads.
    assert.equal(answer(plain, "unshare", [0x200n]), ALLOW);
    assert.equal(answer(plain, "unshare", [0x400n]), ALLOW);
  });

  it("gets the address families that containers need and EAFNOSUPPORT for others", () => {
    const family = (number: bigint, protocol = 0n) =>
      answer(plain, "socket", [number, 2n, protocol]);
    for (const number of [1n, 2n, 10n, 16n, 17n]) assert.equal(family(number), ALLOW, `${number}`);
    for (const number of [
      0n,
      3n,
      15n,
      21n,
      29n,
      31n,
      38n,
      40n,
      44n,
      45n,
      46n,
      47n,
      1000n,
      0xffff_ffffn,
    ]) {
      assert.equal(family(number), EAFNOSUPPORT, `${number}`);
    }
    // 32-bit x86 has the call since 4.3 (359), and by socketcall since ever, with arguments in memory.
    assert.equal(answerTo(plain, 359, [38n], "SCMP_ARCH_X86"), EAFNOSUPPORT);
    assert.equal(answerTo(plain, 359, [2n], "SCMP_ARCH_X86"), ALLOW);
    assert.equal(answerTo(plain, 102, [1n], "SCMP_ARCH_X86"), ALLOW);
    assert.equal(family(16n, 9n), EINVAL); // NETLINK_AUDIT
    assert.equal(family(16n, 15n), ALLOW); // NETLINK_KOBJECT_UEVENT
  });

  it("has the personalities of Linux and no other", () => {
    for (const persona of [0n, 8n, 0x20000n, 0x20008n, 0xffff_ffffn]) {
      assert.equal(answer(plain, "personality", [persona]), ALLOW);
    }
    const ADDR_NO_RANDOMIZE = 0x0040000n;
    assert.equal(answer(plain, "personality", [ADDR_NO_RANDOMIZE]), ENOSYS);
  });

  it("is killed for a call of another architecture", () => {
    const value = runFilter(plain.bytes, { nr: 0, arch: SECCOMP_ARCHES.SCMP_ARCH_AARCH64 });
    assert.equal(value, 0x8000_0000);
  });
});

describe("a container with all capabilities", () => {
  it("may do what capabilities guard", () => {
    const guarded = callsOf([...ALLOWED_WITH, ...ALLOWED_WITH_EITHER], "SCMP_ARCH_X86_64");
    for (const [name, nr] of guarded) assert.equal(answerTo(full, nr), ALLOW, name);
    assert.equal(answer(full, "clone3"), ALLOW);
    assert.equal(answer(full, "clone", [0x7e020011n]), ALLOW);
    assert.equal(answer(full, "unshare", [0x7e020080n]), ALLOW);
    assert.equal(answer(full, "socket", [15n, 3n, 2n]), ALLOW);
    assert.equal(answer(full, "socket", [16n, 3n, 9n]), ALLOW);
  });

  it("is still refused what no container needs", () => {
    for (const name of ["keyctl", "kexec_load", "swapon", "userfaultfd"]) {
      assert.equal(answer(full, name), EPERM, name);
    }
    assert.equal(answer(full, "io_uring_setup"), ENOSYS);
    assert.equal(answer(full, "socket", [38n, 5n, 0n]), EAFNOSUPPORT);
  });
});

describe("single capabilities", () => {
  it("open their own group only", () => {
    const bpf = filterFor([...DEFAULT_CAPABILITIES, "CAP_BPF"]);
    assert.equal(answer(bpf, "bpf"), ALLOW);
    assert.equal(answer(bpf, "perf_event_open"), EPERM);
    assert.equal(answer(bpf, "mount"), EPERM);
    const time = filterFor([...DEFAULT_CAPABILITIES, "CAP_SYS_TIME"]);
    assert.equal(answer(time, "clock_settime"), ALLOW);
    assert.equal(answer(time, "clone3"), ENOSYS);
    const nothing = filterFor([]);
    assert.equal(answer(nothing, "chroot"), EPERM);
    assert.equal(answer(nothing, "read"), ALLOW);
  });
});

it("is about 64-bit and 32-bit ARM on arm64", () => {
  const arm = filterFor(DEFAULT_CAPABILITIES, "arm64");
  assert.equal(answer(arm, "openat"), ALLOW);
  assert.equal(answer(arm, "mount"), EPERM);
  assert.equal(answer(arm, "clone", [0x10000011n]), EPERM);
  assert.equal(answer(arm, "clone", [17n]), ALLOW);
  assert.equal(answer(arm, "open", [], "SCMP_ARCH_ARM"), ALLOW);
  assert.equal(answer(arm, "set_tls", [], "SCMP_ARCH_ARM"), ALLOW);
  const value = runFilter(arm.bytes, { nr: 0, arch: SECCOMP_ARCHES.SCMP_ARCH_X86_64 });
  assert.equal(value, 0x8000_0000);
});

it("forbids tracing where it would be a way around the filter (before 4.8)", () => {
  const facts = { arch: "x64", kernel: { major: 4, minor: 7 }, capabilities: [] } as const;
  const old = {
    arch: "x64",
    bytes: compileSeccomp(planSeccomp(DEFAULT_SECCOMP_PROFILE, facts), "x64"),
  } as const;
  assert.equal(answer(old, "ptrace"), ENOSYS);
  assert.equal(answer(plain, "ptrace"), ALLOW);
});

it("fits into what the kernel takes, with room", () => {
  for (const { bytes } of [plain, full]) assert.ok(bytes.length / 8 < 2500, `${bytes.length / 8}`);
});
