/** A root file system around one static busybox: the image that quickstart imports and the tests use. */
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const FOLDERS = [
  "bin",
  "dev",
  "etc",
  "home",
  "mnt",
  "proc",
  "root",
  "run",
  "sys",
  "tmp",
  "usr",
  "var",
];

/** The files of /etc that programs expect; ids and names are Debian's. */
const ETC = {
  passwd: [
    "root:x:0:0:root:/root:/bin/sh",
    "daemon:x:1:1:daemon:/usr/sbin:/bin/false",
    "www-data:x:33:33:www-data:/var/www:/bin/false",
    "nobody:x:65534:65534:nobody:/nonexistent:/bin/false",
  ],
  group: [
    "root:x:0:",
    "daemon:x:1:",
    "tty:x:5:",
    "disk:x:6:",
    "audio:x:29:",
    "www-data:x:33:",
    "users:x:100:",
    "nogroup:x:65534:",
  ],
  shadow: ["root:*:19000:0:99999:7:::"],
  "nsswitch.conf": ["passwd: files", "group: files", "hosts: files dns"],
  profile: ["export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
  "os-release": [
    'NAME="BusyBox"',
    "ID=busybox",
    'PRETTY_NAME="BusyBox (Debian\'s busybox-static)"',
  ],
} as const;

/** Fills the empty `folder`. Throws when `busybox` cannot be run. */
export function createBusyboxRoot({ busybox, folder }: { busybox: string; folder: string }): void {
  chmodSync(folder, 0o755);
  for (const name of FOLDERS) mkdirSync(join(folder, name), { mode: 0o755 });
  chmodSync(join(folder, "tmp"), 0o1777);
  chmodSync(join(folder, "root"), 0o700);
  mkdirSync(join(folder, "var/tmp"));
  chmodSync(join(folder, "var/tmp"), 0o1777);
  symlinkSync("bin", join(folder, "sbin"));
  for (const name of ["bin", "sbin"]) symlinkSync("../bin", join(folder, "usr", name));
  for (const [name, lines] of Object.entries(ETC)) {
    writeFileSync(join(folder, "etc", name), `${lines.join("\n")}\n`);
  }
  chmodSync(join(folder, "etc/shadow"), 0o640);
  copyFileSync(busybox, join(folder, "bin/busybox"));
  chmodSync(join(folder, "bin/busybox"), 0o755);
  for (const command of commandsOf(busybox)) {
    if (command !== "busybox") symlinkSync("busybox", join(folder, "bin", command));
  }
}

function commandsOf(busybox: string): string[] {
  const { stdout, status, error } = spawnSync(busybox, ["--list"], { encoding: "utf8" });
  if (error !== undefined) throw error;
  const names = stdout.split("\n").filter((name) => name !== "");
  if (status !== 0 || !names.includes("sh"))
    throw new Error(`"${busybox}" lists no sh among its commands`);
  return names;
}
