/** `linux` (config-linux.md): namespaces, ids, devices, sysctl, seccomp, personality, resources' form. */
import { type Case, isRefused, shows } from "./cases.ts";

const USER = {
  "linux.namespaces+": { type: "user" },
  "linux.uidMappings": [{ containerID: 0, hostID: 100_000, size: 1000 }],
  "linux.gidMappings": [{ containerID: 0, hostID: 200_000, size: 1000 }],
};
const seccomp = (rule: object, more: object = {}) => ({
  "linux.seccomp": {
    defaultAction: "SCMP_ACT_ALLOW",
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    syscalls: [rule as never],
    ...more,
  },
});
export const LINUX_CASES: readonly Case[] = [
  {
    name: "linux.namespaces pid: the program is process 1",
    script: "echo $$; ls -d /proc/[0-9]* | head -n 1",
    expect: shows("1\n/proc/1"),
  },
  {
    name: "linux.namespaces pid: the runtime's own without it",
    set: { "linux.namespaces-pid": undefined },
    script: "[ $$ -gt 1 ] && echo host",
    expect: shows("host"),
  },
  {
    name: "linux.namespaces network: a new one has a loopback device alone",
    script: "ls /sys/class/net",
    expect: shows("lo"),
  },
  {
    name: "linux.namespaces: each that is listed is its own",
    set: { "process.env+": "LIST=net ipc uts mnt pid cgroup" },
    script: `for n in $LIST; do readlink /proc/self/ns/$n; done | sort -u | wc -l`,
    expect: shows("6"),
  },
  {
    name: "linux.namespaces[].path: one that exists is joined",
    set: (bundle) => ({
      "linux.namespaces-network": undefined,
      "linux.namespaces+": { type: "network", path: "/proc/self/ns/net" },
      hostname: bundle.id,
    }),
    script: "hostname | grep -c ^c",
    expect: shows("1"),
  },
  {
    name: "linux.namespaces[].path: one that is not there is refused",
    set: {
      "linux.namespaces-network": undefined,
      "linux.namespaces+": { type: "network", path: "/not/there" },
    },
    expect: isRefused("linux.namespaces"),
  },
  {
    name: "linux.namespaces[].path: one of another type is refused",
    set: {
      "linux.namespaces-network": undefined,
      "linux.namespaces+": { type: "network", path: "/proc/self/ns/uts" },
    },
    expect: isRefused("linux.namespaces"),
  },
  {
    name: "linux.namespaces: a type that is listed twice is refused",
    set: { "linux.namespaces+": { type: "pid" } },
    expect: isRefused("linux.namespaces"),
    differs: { crun: "takes it once" },
  },
  {
    name: "linux.namespaces: an unknown type is refused",
    set: { "linux.namespaces+": { type: "coffee" } },
    expect: isRefused("linux.namespaces"),
  },
  {
    name: "linux.uidMappings, gidMappings: root of a user namespace",
    set: USER,
    script: "id -u; tr -s ' ' < /proc/self/uid_map; tr -s ' ' < /proc/self/gid_map",
    expect: shows("0\n 0 100000 1000\n 0 200000 1000"),
  },
  {
    name: "linux.uidMappings: the default devices are there in a user namespace",
    set: USER,
    script: "echo x > /dev/null && head -c 3 /dev/zero | wc -c",
    expect: shows("3"),
  },
  {
    name: "linux.uidMappings: refused without a user namespace",
    set: { "linux.uidMappings": [{ containerID: 0, hostID: 1000, size: 1 }] },
    expect: isRefused("linux.uidMappings"),
    differs: { runc: "passes them over", crun: "passes them over" },
  },
  {
    name: "linux.timeOffsets: a time namespace of its own",
    set: {
      "linux.namespaces+": { type: "time" },
      "linux.timeOffsets": { boottime: { secs: 864_000_000, nanosecs: 0 } },
    },
    script: "[ $(cut -d. -f1 /proc/uptime) -gt 864000000 ] && echo later",
    expect: shows("later"),
    differs: { runc: "1.1 has no time namespaces", crun: "1.8.1 ends with 255 and no word" },
  },
  {
    name: "linux.devices: nodes with type, numbers, mode and owner",
    set: {
      "linux.devices": [
        { path: "/dev/my/null", type: "c", major: 1, minor: 3, fileMode: 0o640, uid: 3, gid: 4 },
        { path: "/dev/pipe", type: "p", fileMode: 0o600 },
      ],
    },
    script: "stat -c '%F %t:%T %a %u %g' /dev/my/null; stat -c %F /dev/pipe; echo x > /dev/my/null",
    expect: shows("character special file 1:3 640 3 4\nfifo"),
  },
  {
    name: "linux.devices: an unknown type is refused",
    set: { "linux.devices": [{ path: "/dev/x", type: "z", major: 1, minor: 3 }] },
    expect: isRefused("linux.devices[0].type"),
    differs: { crun: "1.8.1 takes it for a character device" },
  },
  {
    name: "linux.sysctl: of the container's namespaces",
    set: {
      "linux.sysctl": { "net.ipv4.ip_unprivileged_port_start": "42", "kernel.msgmax": "1234" },
    },
    script: "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax",
    expect: shows("42\n1234"),
  },
  {
    name: "linux.sysctl: one of the whole host is refused",
    set: { "linux.sysctl": { "kernel.sysrq": "1" } },
    expect: isRefused("linux.sysctl"),
  },
  {
    name: "linux.sysctl: of a namespace that is the host's is refused",
    set: {
      "linux.namespaces-network": undefined,
      "linux.sysctl": { "net.ipv4.ip_unprivileged_port_start": "1024" },
    },
    expect: isRefused("linux.sysctl"),
  },
  {
    name: "linux.seccomp: SCMP_ACT_ERRNO with errnoRet",
    set: seccomp({ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28 }),
    script: "mkdir /x 2>&1",
    expect: { stdout: /No space left on device/, status: 1 },
  },
  {
    name: "linux.seccomp: EPERM where no errnoRet is given",
    set: seccomp({ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO" }),
    script: "mkdir /x 2>&1",
    expect: { stdout: /Operation not permitted/, status: 1 },
  },
  {
    name: "linux.seccomp: SCMP_ACT_KILL_PROCESS",
    set: seccomp({ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_KILL_PROCESS" }),
    script: "mkdir /x; echo $?",
    expect: shows(/^159$/m),
  },
  {
    name: "linux.seccomp: a rule on an argument",
    set: seccomp({
      names: ["kill"],
      action: "SCMP_ACT_ERRNO",
      errnoRet: 1,
      args: [{ index: 1, value: 10, op: "SCMP_CMP_EQ" }],
    }),
    script:
      "trap '' USR1 USR2; kill -USR2 $$ && echo usr2; kill -USR1 $$ 2>/dev/null || echo no usr1",
    expect: shows("usr2\nno usr1"),
  },
  {
    name: "linux.seccomp: a default of ERRNO with what is allowed",
    set: {
      "linux.seccomp": {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["no_such_call", "sethostname"], action: "SCMP_ACT_ERRNO" }],
      },
    },
    script: "sed -n 's/^Seccomp:[[:space:]]*//p' /proc/self/status",
    expect: shows("2"),
  },
  {
    name: "linux.seccomp: an unknown action is refused",
    set: seccomp({ names: ["mkdir"], action: "SCMP_ACT_COFFEE" }),
    expect: isRefused("linux.seccomp"),
  },
  {
    name: "linux.seccomp: an unknown architecture is refused",
    set: seccomp(
      { names: ["mkdir"], action: "SCMP_ACT_ERRNO" },
      { architectures: ["SCMP_ARCH_Z80"] },
    ),
    expect: isRefused("linux.seccomp.architectures"),
  },
  {
    name: "linux.personality: LINUX32",
    set: { "linux.personality": { domain: "LINUX32" } },
    script: "uname -m",
    expect: shows("i686"),
    differs: { runc: "1.1 does not know the field" },
  },
  {
    name: "linux.personality: an unknown domain is refused",
    set: { "linux.personality": { domain: "COFFEE" } },
    expect: isRefused("linux.personality.domain"),
    differs: { runc: "1.1 does not know the field" },
  },
  {
    name: "linux.intelRdt: refused where the kernel has no resctrl",
    set: { "linux.intelRdt": { l3CacheSchema: "L3:0=f" } },
    expect: isRefused("linux.intelRdt"),
    differs: { crun: "1.8.1 passes it over" },
  },
  {
    name: "linux.netDevices: a device that is not there is refused",
    set: { "linux.netDevices": { nosuchdev0: {} } },
    expect: isRefused("linux.netDevices"),
    differs: { runc: "1.1 does not know the field", crun: "1.8.1 does not know the field" },
  },
  {
    name: "linux.resources: a negative number of bytes is refused",
    set: { "linux.resources": { memory: { limit: -7 } } },
    expect: isRefused("linux.resources.memory.limit"),
    differs: { crun: "makes no cgroup here" },
  },
  {
    name: "linux.resources.unified: a name that leads out of the cgroup is refused",
    set: { "linux.resources": { unified: { "../cgroup.procs": "1" } } },
    expect: isRefused("linux.resources.unified"),
    differs: { crun: "makes no cgroup here" },
  },
  {
    name: "annotations: any are taken",
    set: { annotations: { "org.example/key": "value", empty: "" } },
    script: "echo ran",
    expect: shows("ran"),
  },
  {
    name: "ociVersion: another major version is refused",
    set: { ociVersion: "2.0.0" },
    expect: isRefused("ociVersion"),
    differs: { runc: "does not look at it" },
  },
  {
    name: "a property that is not known is passed over",
    set: { "org.example.unknown": { a: 1 }, "linux.someday": true },
    script: "echo ran",
    expect: shows("ran"),
  },
  {
    name: "a value of the wrong type is refused",
    set: { "process.args": "sh" },
    expect: isRefused("process.args"),
  },
];
