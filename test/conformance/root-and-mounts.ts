/** `root`, `mounts`, `hostname`, `domainname` (config.md), masked and read-only paths, propagation. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { type Case, isRefused, shows } from "./cases.ts";

const options = (point: string) => `awk '$5 == "${point}" { print $6 }' /proc/self/mountinfo`;
const tmpfs = (...more: string[]) => ({
  destination: "/mnt",
  type: "tmpfs",
  source: "tmpfs",
  options: more,
});

export const MOUNT_CASES: readonly Case[] = [
  {
    name: "root.path: the container's / and nothing of the host's",
    prepare: (bundle) => writeFileSync(bundle.root("mark"), "here"),
    script: "cat /mark; ls -d /proc/1/root/mark; ls /.. | grep -c mark",
    expect: shows("here/proc/1/root/mark\n1"),
  },
  {
    name: "root.path: one that is not there is refused",
    set: { "root.path": "nowhere" },
    expect: isRefused("root"),
  },
  {
    name: "root.readonly: true",
    set: { "root.readonly": true },
    script: "touch /new 2>&1; grep -c new /proc/mounts",
    expect: { stdout: /Read-only file system/, status: 1 },
  },
  {
    name: "root.readonly: mount points are made before it holds",
    set: { "root.readonly": true, "mounts+": { ...tmpfs(), destination: "/made/for/it" } },
    script: "touch /made/for/it/file && echo ok",
    expect: shows("ok"),
  },
  { name: "hostname", set: { hostname: "a-name" }, script: "hostname", expect: shows("a-name") },
  {
    name: "hostname: refused without a UTS namespace",
    set: { "linux.namespaces-uts": undefined },
    expect: isRefused("hostname"),
  },
  {
    name: "domainname",
    set: { domainname: "example.test" },
    script: "cat /proc/sys/kernel/domainname",
    expect: shows("example.test"),
    differs: { runc: "1.1 does not know the field" },
  },
  {
    name: "mounts: made in the order of the list",
    set: (bundle) => {
      mkdirSync(bundle.path("data"));
      writeFileSync(bundle.path("data/file"), "first");
      return {
        "mounts+": {
          destination: "/mnt",
          type: "bind",
          source: bundle.path("data"),
          options: ["bind"],
        },
      };
    },
    script: "cat /mnt/file",
    expect: shows("first"),
  },
  {
    name: "mounts[].destination: made where missing",
    set: { "mounts+": { ...tmpfs(), destination: "/a/b/c" } },
    script: "stat -f -c %T /a/b/c",
    expect: shows("tmpfs"),
  },
  {
    name: "mounts[].destination: a file is made for a file",
    prepare: (bundle) => writeFileSync(bundle.path("one"), "1"),
    set: (bundle) => ({
      "mounts+": {
        destination: "/x/one",
        type: "bind",
        source: bundle.path("one"),
        options: ["bind", "ro"],
      },
    }),
    script: "cat /x/one",
    expect: shows("1"),
  },
  {
    name: "mounts[].destination: a symbolic link stays below the root",
    prepare: (bundle) => symlinkSync("/../../../../outside", bundle.root("link")),
    set: { "mounts+": { ...tmpfs(), destination: "/link/in" } },
    script: "ls -d /outside/in",
    expect: shows("/outside/in"),
    differs: { crun: "1.8.1 does not make what a dangling link points to" },
  },
  {
    name: "mounts[].source: a bind source is relative to the bundle",
    prepare: (bundle) => mkdirSync(bundle.path("beside/deep"), { recursive: true }),
    set: { "mounts+": { destination: "/mnt", type: "bind", source: "beside", options: ["rbind"] } },
    script: "ls /mnt",
    expect: shows("deep"),
  },
  {
    name: "mounts[].source: a bind source that is not there is refused",
    set: { "mounts+": { destination: "/mnt", source: "/not/there", options: ["bind"] } },
    expect: isRefused("/not/there"),
  },
  {
    name: "mounts[].options: flags of a new file system",
    set: { "mounts+": tmpfs("ro", "nosuid", "nodev", "noexec", "noatime") },
    script: options("/mnt"),
    expect: shows("ro,nosuid,nodev,noexec,noatime"),
  },
  {
    name: "mounts[].options: data of the file system",
    set: { "mounts+": tmpfs("size=4096k", "mode=0711", "uid=7") },
    script: "stat -c '%a %u' /mnt; df -k /mnt | awk 'NR == 2 { print $2 }'",
    expect: shows("711 7\n4096"),
    differs: { runc: "1.1 gives it the mode of the directory below" },
  },
  {
    name: "mounts[].options: flags of a bind mount",
    set: {
      "mounts+": {
        destination: "/mnt",
        source: "/usr",
        options: ["bind", "ro", "nosuid", "noexec"],
      },
    },
    script: options("/mnt"),
    expect: shows(/^ro,nosuid,(nodev,)?noexec/),
  },
  {
    name: "mounts[].options: rro makes what is below read-only too",
    set: { "mounts+": { destination: "/mnt", source: "/dev", options: ["rbind", "rro"] } },
    script: "awk '$5 ~ \"^/mnt\" { print $6 }' /proc/self/mountinfo | grep -v ^ro; true",
    expect: shows(""),
  },
  {
    name: "mounts[].options: an unknown one is refused",
    set: { "mounts+": tmpfs("no-such-option") },
    expect: isRefused("mounts[6]"),
  },
  {
    name: "mounts[].options: tmpcopyup",
    prepare: (bundle) => {
      mkdirSync(bundle.root("with"));
      writeFileSync(bundle.root("with/in"), "kept");
    },
    set: { "mounts+": { ...tmpfs("tmpcopyup"), destination: "/with" } },
    script: "cat /with/in; stat -f -c %T /with",
    expect: shows("kept\ntmpfs".replace("\n", "")),
  },
  {
    name: "mounts[]: idmap with uidMappings and gidMappings",
    prepare: (bundle) => {
      mkdirSync(bundle.path("data"));
      writeFileSync(bundle.path("data/file"), "");
    },
    set: (bundle) => ({
      "mounts+": {
        destination: "/mnt",
        source: bundle.path("data"),
        options: ["bind", "idmap"],
        uidMappings: [{ containerID: 0, hostID: 1000, size: 10 }],
        gidMappings: [{ containerID: 0, hostID: 2000, size: 10 }],
      },
    }),
    script: "stat -c '%u %g' /mnt/file",
    expect: shows("1000 2000"),
    differs: { runc: "1.1 does not know id-mapped mounts" },
  },
  {
    name: "mounts[]: a cgroup mount shows the container's own cgroup",
    set: {
      "mounts+": {
        destination: "/sys/fs/cgroup",
        type: "cgroup",
        source: "cgroup",
        options: ["nosuid", "noexec", "nodev", "relatime", "ro"],
      },
    },
    script:
      "head -n 1 /sys/fs/cgroup/cgroup.procs; awk '$2 == \"/sys/fs/cgroup\" { print $3 }' /proc/mounts; mkdir /sys/fs/cgroup/x 2>&1",
    expect: { stdout: /^1\ncgroup2\n.*Read-only/s, status: 1 },
    differs: { crun: "makes no cgroup here" },
  },
  {
    name: "mounts[]: nothing on /proc but what belongs there",
    set: { "mounts+": { destination: "/proc/sys", source: "/usr", options: ["bind"] } },
    expect: isRefused("/proc"),
    differs: { crun: "allows it" },
  },
  {
    name: "linux.maskedPaths: a file reads as empty, a directory too, one that is not there is passed over",
    set: { "linux.maskedPaths": ["/proc/version", "/etc", "/not/there"] },
    script: "wc -c < /proc/version; ls /etc | wc -l; touch /etc/x 2>&1",
    expect: { stdout: /^0\n0\n.*Read-only/, status: 1 },
  },
  {
    name: "linux.readonlyPaths",
    set: { "linux.readonlyPaths": ["/proc/sys", "/etc", "/not/there"] },
    script: `touch /etc/x 2>&1; echo 1 > /proc/sys/kernel/domainname; ${options("/proc/sys")}`,
    expect: shows(/Read-only file system(.|\n)*\nro,/),
  },
  {
    name: "linux.rootfsPropagation: private by default",
    script: "awk '$5 == \"/\" { print $7 }' /proc/self/mountinfo",
    expect: shows("-"),
  },
  {
    name: "linux.rootfsPropagation: shared",
    set: { "linux.rootfsPropagation": "shared" },
    script: "awk '$5 == \"/\" { print $7 }' /proc/self/mountinfo",
    expect: shows(/^shared:/),
    differs: { runc: "1.1 leaves the root private" },
  },
  {
    name: "linux.rootfsPropagation: an unknown one is refused",
    set: { "linux.rootfsPropagation": "sideways" },
    expect: isRefused("linux.rootfsPropagation"),
    differs: { crun: "passes it over" },
  },
  {
    name: "the default devices and links of /dev",
    script:
      "for d in null zero full random urandom tty; do stat -c '%n %F %t:%T %a' /dev/$d; done; for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done",
    expect: shows(
      [
        ...["null character special file 1:3 666", "zero character special file 1:5 666"],
        ...["full character special file 1:7 666", "random character special file 1:8 666"],
        ...["urandom character special file 1:9 666", "tty character special file 5:0 666"],
      ]
        .map((line) => `/dev/${line}`)
        .concat(
          "/proc/self/fd",
          "/proc/self/fd/0",
          "/proc/self/fd/1",
          "/proc/self/fd/2",
          "pts/ptmx",
        )
        .join("\n"),
    ),
  },
  {
    name: "nothing is written to the host through a bind mount's read-only flag",
    prepare: (bundle) => writeFileSync(bundle.path("host"), "as it was"),
    set: (bundle) => ({
      "mounts+": { destination: "/mnt/host", source: bundle.path("host"), options: ["bind", "ro"] },
    }),
    script:
      "echo changed > /mnt/host; mount -o remount,rw,bind /mnt/host; echo changed > /mnt/host",
    expect: {
      after: (bundle) => {
        assert.equal(readFileSync(bundle.path("host"), "utf8"), "as it was");
        assert.ok(existsSync(bundle.root("mnt/host")), "the mount point was made");
      },
    },
  },
];
