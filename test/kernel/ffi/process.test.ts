import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  boundingSetHas,
  bpfProgAttach,
  bpfProgDetach,
  bpfProgInfo,
  bpfProgLoad,
  bpfProgOpen,
  bpfProgQuery,
  dumpable,
  getAffinity,
  getRlimit,
  hasNoNewPrivileges,
  isChildSubreaper,
  kernelHasSeccompAction,
  kill,
  libseccompVersion,
  processExists,
  resolveSyscall,
  SECCOMP_ACTIONS,
  setChildSubreaper,
  setDumpable,
  setRlimit,
} from "../../../src/ffi/index.ts";
import { cgroup2MountPoint } from "../../support/host.ts";

const RLIMIT_NOFILE = 7;
const RLIMIT_CORE = 4;

describe("this process", () => {
  it("can be a subreaper", () => {
    assert.equal(isChildSubreaper(), false);
    setChildSubreaper(true);
    assert.equal(isChildSubreaper(), true);
    setChildSubreaper(false);
  });

  it("can hide its memory", () => {
    assert.equal(dumpable(), 1);
    setDumpable(false);
    assert.equal(dumpable(), 0);
    setDumpable(true);
  });

  it("has the bounding set that /proc shows", () => {
    const text = readFileSync("/proc/self/status", "latin1").match(/^CapBnd:\t(\w+)$/m)?.[1];
    const mask = BigInt(`0x${text}`);
    for (let bit = 0; bit <= 40; bit++) {
      assert.equal(boundingSetHas(bit), ((mask >> BigInt(bit)) & 1n) === 1n, `capability ${bit}`);
    }
    assert.throws(() => boundingSetHas(64), { errno: "EINVAL" });
  });

  it("has no no_new_privs unless set", () => {
    assert.equal(hasNoNewPrivileges(), false);
  });

  it("has limits that can be lowered and read back", () => {
    const { soft, hard } = getRlimit(RLIMIT_NOFILE);
    const shown = readFileSync("/proc/self/limits", "latin1").match(/Max open files +(\d+) +(\d+)/);
    assert.deepEqual([soft, hard], [BigInt(shown?.[1] ?? 0), BigInt(shown?.[2] ?? 0)]);
    setRlimit(RLIMIT_CORE, { soft: 0n, hard: getRlimit(RLIMIT_CORE).hard });
    assert.equal(getRlimit(RLIMIT_CORE).soft, 0n);
    assert.throws(() => setRlimit(RLIMIT_NOFILE, { soft: 2n, hard: 1n }), { errno: "EINVAL" });
    assert.throws(() => getRlimit(99), { errno: "EINVAL" });
  });

  it("runs on the cpus that taskset(1) names", () => {
    const shown = execFileSync("nproc").toString().trim();
    assert.equal(getAffinity().length, Number(shown));
  });

  it("can signal, and tells a process that is gone", () => {
    kill(process.pid, 0);
    assert.ok(processExists(process.pid) && processExists(1));
    assert.ok(!processExists(4_194_304 - 1));
    assert.throws(() => kill(4_194_303, "SIGTERM"), { errno: "ESRCH", subject: "4194303" });
  });
});

describe("libseccomp", () => {
  it("says its version and numbers", () => {
    assert.match(libseccompVersion(), /^2\.\d+\.\d+$/);
    assert.equal(resolveSyscall("read", "SCMP_ARCH_X86_64"), 0);
    assert.equal(resolveSyscall("read", "SCMP_ARCH_AARCH64"), 63);
    assert.equal(resolveSyscall("no_such_call", "SCMP_ARCH_X86_64"), undefined);
  });

  it("is asked of the kernel which actions there are", () => {
    assert.ok(kernelHasSeccompAction(SECCOMP_ACTIONS.ERRNO));
    assert.ok(kernelHasSeccompAction(SECCOMP_ACTIONS.NOTIFY));
    assert.ok(!kernelHasSeccompAction(0x1234_0000));
  });
});

describe("bpf(2)", () => {
  const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
  const BPF_CGROUP_DEVICE = 6;
  /** mov r0, VALUE; exit */
  const returns = (value: number) =>
    Uint8Array.of(0xb7, 0, 0, 0, value, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
  const attachment = (targetFd: number) => ({ targetFd, attachType: BPF_CGROUP_DEVICE });

  it("loads, attaches, finds, replaces and detaches a device filter", (t) => {
    const cgroups = cgroup2MountPoint();
    if (cgroups === undefined) return t.skip("needs a cgroup v2 hierarchy");
    const path = join(cgroups, `tsrun-ffi-test-${process.pid}`);
    mkdirSync(path);
    const cgroup = openSync(path, "r");
    try {
      const program = (value: number) =>
        bpfProgLoad({
          type: BPF_PROG_TYPE_CGROUP_DEVICE,
          instructions: returns(value),
          name: `r${value}`,
        });
      const [first, second] = [program(1), program(0)];
      assert.deepEqual(bpfProgQuery(attachment(cgroup)), []);
      const BPF_F_ALLOW_MULTI = 2;
      bpfProgAttach(attachment(cgroup), first, { flags: BPF_F_ALLOW_MULTI });
      const [id = -1] = bpfProgQuery(attachment(cgroup));
      const found = bpfProgOpen(id);
      assert.deepEqual(bpfProgInfo(found), { type: BPF_PROG_TYPE_CGROUP_DEVICE, id, name: "r1" });
      bpfProgAttach(attachment(cgroup), second, { flags: BPF_F_ALLOW_MULTI, replaceFd: found });
      assert.equal(bpfProgQuery(attachment(cgroup)).length, 1);
      bpfProgDetach(attachment(cgroup), second);
      assert.deepEqual(bpfProgQuery(attachment(cgroup)), []);
      assert.throws(() => bpfProgDetach(attachment(cgroup), second), { errno: "ENOENT" });
      for (const fd of [first, second, found]) closeSync(fd);
    } finally {
      closeSync(cgroup);
      rmdirSync(path);
    }
  });

  it("says in the verifier's words why a program is refused", () => {
    // exit without a return value.
    const instructions = Uint8Array.of(0x95, 0, 0, 0, 0, 0, 0, 0);
    assert.throws(
      () => bpfProgLoad({ type: BPF_PROG_TYPE_CGROUP_DEVICE, instructions, name: "bad" }),
      {
        code: "SYSTEM",
        hint: /R0 !read_ok/,
      },
    );
  });
});
