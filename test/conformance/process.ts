/** The fields of `process` (config.md "Process", "POSIX process", "Linux Process", "User"). */
import { type Case, isRefused, shows } from "./cases.ts";

const status = (field: string) => `sed -n 's/^${field}:[[:space:]]*//p' /proc/self/status`;
const NO_CAPABILITIES = {
  bounding: [],
  effective: [],
  permitted: [],
  inheritable: [],
  ambient: [],
};

export const PROCESS_CASES: readonly Case[] = [
  {
    name: "process.args: execvp's search and the arguments as they are",
    set: { "process.args": ["printf", "%s|", "a b", "", "$HOME", "ü"] },
    expect: shows("a b||$HOME|ü|"),
  },
  {
    name: "process.args: the program's exit status is run's",
    script: "exit 7",
    expect: { status: 7 },
  },
  {
    name: "process.args: death by a signal is 128 and its number",
    set: { "linux.namespaces-pid": undefined },
    script: "kill -9 $$",
    expect: { status: 137 },
  },
  {
    name: "process.args: a program that is not there is refused",
    set: { "process.args": ["/not/there"] },
    expect: isRefused("/not/there"),
  },
  {
    name: "process.args: a file that may not be executed is refused",
    set: { "process.args": ["/etc/passwd"] },
    expect: isRefused("permission denied"),
  },
  { name: "process.args: none is refused", set: { "process.args": [] }, expect: isRefused("args") },
  {
    name: "process.env: exactly what is listed, besides HOME",
    set: { "process.env": ["PATH=/bin", "ONE=1", "TWO=a=b c", "EMPTY="] },
    script: "env | grep -vE '^(HOME|PWD|SHLVL|OLDPWD)=' | sort",
    expect: shows("EMPTY=\nONE=1\nPATH=/bin\nTWO=a=b c"),
  },
  {
    name: "process.env: nothing of the runtime's own environment",
    script: "tr '\\0' '\\n' < /proc/1/environ | grep -vE '^(PATH|TERM|HOME)='; true",
    expect: shows(""),
  },
  {
    name: "process.cwd: the working directory",
    set: { "process.cwd": "/etc" },
    script: "pwd; readlink /proc/self/cwd",
    expect: shows("/etc\n/etc"),
  },
  {
    name: "process.cwd: one that is missing is made, in a root that becomes read-only too",
    set: { "process.cwd": "/not/there", "root.readonly": true },
    script: "pwd",
    expect: shows("/not/there"),
  },
  {
    name: "process.cwd: a relative one is refused",
    set: { "process.cwd": "etc" },
    expect: isRefused("process.cwd"),
    differs: { crun: "1.8.1 takes it as it is" },
  },
  {
    name: "process.user: uid, gid and additionalGids, and no group of the caller's",
    set: { "process.user": { uid: 1000, gid: 1001, additionalGids: [5, 20] } },
    script: `${status("Uid")}; ${status("Gid")}; ${status("Groups")}`,
    expect: shows(/^1000\t1000\t1000\t1000\n1001\t1001\t1001\t1001\n5 20 ?$/),
  },
  {
    name: "process.user.umask",
    set: { "process.user": { uid: 0, gid: 0, umask: 0o027 } },
    script: "umask",
    expect: shows("0027"),
  },
  {
    name: "process.capabilities: the sets as listed",
    set: {
      "process.capabilities": {
        bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
        permitted: ["CAP_CHOWN", "CAP_KILL"],
        inheritable: ["CAP_CHOWN"],
        effective: ["CAP_KILL"],
        ambient: [],
      },
      "process.user": { uid: 1000, gid: 1000 },
    },
    // A user that is not root keeps over execve(2) only what is ambient: none.
    script: `${status("CapBnd")}; ${status("CapInh")}; ${status("CapPrm")}; ${status("CapAmb")}`,
    expect: shows("0000000000000421\n0000000000000001\n0000000000000000\n0000000000000000"),
  },
  {
    name: "process.capabilities.ambient: kept by a user that is not root",
    set: {
      "process.capabilities": {
        bounding: ["CAP_CHOWN", "CAP_NET_BIND_SERVICE"],
        permitted: ["CAP_NET_BIND_SERVICE"],
        inheritable: ["CAP_NET_BIND_SERVICE"],
        effective: ["CAP_NET_BIND_SERVICE"],
        ambient: ["CAP_NET_BIND_SERVICE"],
      },
      "process.user": { uid: 1000, gid: 1000 },
    },
    script: `${status("CapEff")}; ${status("CapAmb")}`,
    expect: shows("0000000000000400\n0000000000000400"),
  },
  {
    name: "process.capabilities: none at all",
    set: { "process.capabilities": NO_CAPABILITIES },
    script: `${status("CapBnd")}; ${status("CapPrm")}; chown 1 /etc/passwd 2>/dev/null || echo no`,
    expect: shows("0000000000000000\n0000000000000000\nno"),
  },
  {
    name: "process.rlimits: soft and hard",
    set: {
      "process.rlimits": [
        { type: "RLIMIT_NOFILE", soft: 100, hard: 200 },
        { type: "RLIMIT_CORE", soft: 0, hard: 0 },
      ],
    },
    script: "ulimit -n; ulimit -Hn; ulimit -Hc",
    expect: shows("100\n200\n0"),
  },
  {
    name: "process.rlimits: a type listed twice is refused",
    set: {
      "process.rlimits": [
        { type: "RLIMIT_NOFILE", soft: 100, hard: 200 },
        { type: "RLIMIT_NOFILE", soft: 10, hard: 20 },
      ],
    },
    expect: isRefused("process.rlimits[1]"),
    differs: { runc: "takes the last", crun: "takes the last" },
  },
  {
    name: "process.rlimits: an unknown type is refused",
    set: { "process.rlimits": [{ type: "RLIMIT_COFFEE", soft: 1, hard: 1 }] },
    expect: isRefused("process.rlimits[0].type"),
  },
  {
    name: "process.noNewPrivileges: true",
    script: status("NoNewPrivs"),
    expect: shows("1"),
  },
  {
    name: "process.noNewPrivileges: false",
    set: { "process.noNewPrivileges": false },
    script: status("NoNewPrivs"),
    expect: shows("0"),
  },
  {
    name: "process.oomScoreAdj",
    set: { "process.oomScoreAdj": 321 },
    script: "cat /proc/self/oom_score_adj",
    expect: shows("321"),
  },
  {
    name: "process.scheduler: policy and nice",
    set: { "process.scheduler": { policy: "SCHED_BATCH", nice: 7 } },
    script: "cut -d' ' -f19,41 /proc/self/stat",
    expect: shows("7 3"),
    differs: { runc: "1.1 does not know the field", crun: "1.8.1 does not know the field" },
  },
  {
    name: "process.scheduler: an unknown policy is refused",
    set: { "process.scheduler": { policy: "SCHED_COFFEE" } },
    expect: isRefused("process.scheduler.policy"),
    differs: { runc: "1.1 does not know the field", crun: "1.8.1 does not know the field" },
  },
  {
    name: "process.ioPriority",
    set: { "process.ioPriority": { class: "IOPRIO_CLASS_BE", priority: 6 } },
    script: "ionice -p $$",
    expect: shows("best-effort: prio 6"),
    differs: { runc: "1.1 does not know the field", crun: "1.8.1 does not know the field" },
  },
  {
    name: "process.ioPriority: an unknown class is refused",
    set: { "process.ioPriority": { class: "IOPRIO_CLASS_COFFEE", priority: 1 } },
    expect: isRefused("process.ioPriority.class"),
    differs: { runc: "1.1 does not know the field", crun: "1.8.1 does not know the field" },
  },
  {
    name: "process.execCPUAffinity: an unreadable list is refused",
    set: { "process.execCPUAffinity": { initial: "0-x" } },
    expect: isRefused("process.execCPUAffinity.initial"),
    differs: { runc: "1.1 does not know the field", crun: "1.8.1 does not know the field" },
  },
  {
    name: "process.apparmorProfile: refused by a kernel without AppArmor, never passed over",
    set: { "process.apparmorProfile": "no-such-profile" },
    expect: isRefused("process.apparmorProfile"),
  },
  {
    name: "process.selinuxLabel: refused by a kernel without SELinux, never passed over",
    set: { "process.selinuxLabel": "system_u:system_r:container_t:s0" },
    expect: isRefused("process.selinuxLabel"),
  },
];
