import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import {
  CAPABILITIES,
  compileSeccomp,
  DEFAULT_CAPABILITIES,
  DEFAULT_SECCOMP_PROFILE,
  machineArch,
  planSeccomp,
} from "../../../src/security/index.ts";

const base = mkdtempSync(join(tmpdir(), "tsrun-seccomp-"));
after(() => rmSync(base, { recursive: true }));

/**
 * Installs the filter in a file and executes a command: perl, because its syscall() needs no compiler
 * and does not get between. struct sock_fprog is a 16-bit count and a pointer.
 */
const INSTALL = `
  my ($path, @command) = @ARGV;
  open(my $file, "<:raw", $path) or die; local $/; my $filter = <$file>;
  my $fprog = pack("S x6 J", length($filter) / 8, unpack("J", pack("p", $filter)));
  syscall($ENV{NR_SECCOMP}, 1, 0, $fprog) == 0 or die "seccomp: $!";
  exec @command or die "exec: $!";
`;

const NR =
  machineArch() === "x64"
    ? {
        seccomp: 317,
        mount: 165,
        keyctl: 250,
        unshare: 272,
        clone3: 435,
        setns: 308,
        io_uring_setup: 425,
        bpf: 321,
        nosuch: 999,
      }
    : {
        seccomp: 277,
        mount: 40,
        keyctl: 219,
        unshare: 97,
        clone3: 435,
        setns: 268,
        io_uring_setup: 425,
        bpf: 280,
        nosuch: 999,
      };

function filterFile(capabilities: readonly string[]): string {
  const facts = { arch: machineArch(), kernel: { major: 6, minor: 1 }, capabilities };
  const path = join(base, `${capabilities.length}.bpf`);
  writeFileSync(path, compileSeccomp(planSeccomp(DEFAULT_SECCOMP_PROFILE, facts), machineArch()));
  return path;
}

const plain = filterFile(DEFAULT_CAPABILITIES);
const full = filterFile(CAPABILITIES);

function run(filter: string, command: readonly string[], input?: string) {
  return spawnSync("perl", ["-e", INSTALL, filter, ...command], {
    env: {
      ...process.env,
      NR_SECCOMP: String(NR.seccomp),
      NODE_OPTIONS: "",
      NODE_EXTRA_CA_CERTS: "",
    },
    encoding: "utf8",
    ...(input !== undefined && { input }),
  });
}

/** The errno that a bare call gets behind the filter, 0 for success. */
function errnoOf(filter: string, nr: number, ...args: readonly number[]): number {
  const script = `my $r = syscall(${[nr, ...args].join(", ")}); print $r == -1 ? $!+0 : 0`;
  const { stdout, stderr, status } = run(filter, ["perl", "-e", script]);
  assert.equal(status, 0, stderr);
  return Number(stdout);
}

const EPERM = 1;
const EFAULT = 14;
const ENOSYS = 38;
const CLONE_NEWUSER = 0x1000_0000;

describe("the kernel under the default filter", () => {
  it("refuses what containers may not do", () => {
    assert.equal(errnoOf(plain, NR.mount, 0, 0, 0, 0, 0), EPERM);
    assert.equal(errnoOf(plain, NR.keyctl, 0, 0, 0), EPERM);
    assert.equal(errnoOf(plain, NR.unshare, CLONE_NEWUSER), EPERM);
    assert.equal(errnoOf(plain, NR.setns, 0, 0), EPERM);
    assert.equal(errnoOf(plain, NR.bpf, 0, 0, 0), EPERM);
  });

  it("says of other calls that they do not exist", () => {
    assert.equal(errnoOf(plain, NR.clone3, 0, 0), ENOSYS);
    assert.equal(errnoOf(plain, NR.io_uring_setup, 0, 0), ENOSYS);
    assert.equal(errnoOf(plain, NR.nosuch), ENOSYS);
  });

  it("lets the calls through that a capability opens", () => {
    assert.equal(errnoOf(full, NR.mount, 0, 0, 0, 0, 0), EFAULT);
    assert.equal(errnoOf(full, NR.unshare, CLONE_NEWUSER), 0);
    assert.equal(errnoOf(full, NR.keyctl, 0, 0, 0), EPERM);
  });

  it("refuses unshare(1) by name", () => {
    const { status, stderr } = run(plain, ["unshare", "--user", "true"]);
    assert.notEqual(status, 0);
    assert.match(stderr, /Operation not permitted/);
  });
});

describe("programs under the default filter", () => {
  const works = (name: string, command: readonly string[], expected: RegExp, input?: string) => {
    it(`work: ${name}`, () => {
      const { status, stdout, stderr, signal } = run(plain, command, input);
      assert.equal(signal, null, `killed by ${signal}`);
      assert.equal(status, 0, stderr);
      assert.match(stdout, expected);
    });
  };

  works(
    "a shell with pipes, jobs and signals",
    ["bash", "-c", "(sleep 5 & kill $!; wait); seq 100 | sort -n | tail -1"],
    /^100$/m,
  );
  works(
    "perl threads of processes and sockets",
    [
      "perl",
      "-MIO::Socket::INET",
      "-e",
      `
    my $l = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") or die $!;
    if (!fork) { my $c = IO::Socket::INET->new(PeerAddr => "127.0.0.1:" . $l->sockport); print $c "hi\\n"; exit }
    print $l->accept->getline; wait`,
    ],
    /^hi$/m,
  );
  works(
    "python with threads, subprocesses and asyncio",
    [
      "python3",
      "-c",
      `
import asyncio, subprocess, threading, tempfile, os, time
t = threading.Thread(target=lambda: time.sleep(0.01)); t.start(); t.join()
print(subprocess.run(["echo", "sub"], capture_output=True, text=True).stdout)
async def main():
    p = await asyncio.create_subprocess_exec("true"); await p.wait()
asyncio.run(main())
with tempfile.NamedTemporaryFile() as f: os.fsync(f.fileno())
print("done")`,
    ],
    /sub[\s\S]*done/,
  );
  works(
    "Node with its thread pool",
    [
      process.execPath,
      "-e",
      `
    require("fs").promises.readFile("/etc/passwd").then(() => {
      new (require("worker_threads").Worker)("1 + 1", { eval: true });
      require("child_process").execFile("true", () => console.log("done")) })`,
    ],
    /done/,
  );
  works("apt and dpkg", ["dpkg-query", "-s", "base-files"], /^Status: .* installed$/m);
  works(
    "tar with attributes",
    ["sh", "-c", "cd / && tar --xattrs -cf - etc/passwd | tar -tf -"],
    /etc\/passwd/,
  );
  works("chroot, with the default capabilities", ["chroot", "/", "echo", "inside"], /inside/);
  works(
    "changing user",
    ["perl", "-e", '$( = $) = "65534 65534"; $< = $> = 65534; print "now $<"'],
    /now 65534/,
  );
  works(
    "tracing its own children",
    [
      "perl",
      "-e",
      machineArch() === "x64"
        ? "if (!(my $p = fork)) { print syscall(101, 0, 0, 0, 0) } else { wait }"
        : "print 0",
    ],
    /^0/,
  );

  it("work: a 32-bit program", (t) => {
    if (machineArch() !== "x64") return t.skip("needs x86");
    const source = join(base, "int80.s");
    const program = join(base, "int80");
    // write(1, "32\\n", 3); exit(0): the assembler's 32-bit code, linked without any library.
    writeFileSync(
      source,
      `.globl _start
      _start: mov $4,%eax; mov $1,%ebx; mov $text,%ecx; mov $3,%edx; int $0x80
      mov $1,%eax; xor %ebx,%ebx; int $0x80
      .data
      text: .ascii "32\\n"
    `,
    );
    try {
      execFileSync("as", ["--32", "-o", `${program}.o`, source]);
      execFileSync("ld", ["-m", "elf_i386", "-o", program, `${program}.o`]);
    } catch {
      return t.skip("needs as(1) and ld(1)");
    }
    if (spawnSync(program).status !== 0) return t.skip("the kernel runs no 32-bit programs");
    const { status, stdout } = run(plain, [program]);
    assert.deepEqual([status, stdout], [0, "32\n"]);
  });
});
