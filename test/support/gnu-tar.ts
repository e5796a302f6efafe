/**
 * A tree as GNU tar sees it: everything that it can say of each file, in the order of names, so that two
 * trees are the same exactly if the texts are. Times count to the nanosecond.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { lstatSync, readdirSync } from "node:fs";
import { getXattr, listXattrs } from "../../src/ffi/index.ts";

const PLAIN = [
  "--format=posix",
  "--pax-option=delete=atime,delete=ctime,exthdr.name=%d/PaxHeaders/%f",
  "--sort=name",
  "--numeric-owner",
];
const WHOLE = [...PLAIN, "--xattrs", "--xattrs-include=*"];
const MAX_BYTES = 2 ** 30;

/** The tree as an archive of GNU tar's own. */
export function gnuTar(directory: string): Buffer {
  const argv = [...WHOLE, "-C", directory, "-c", "."];
  return execFileSync("tar", argv, { maxBuffer: MAX_BYTES, stdio: ["ignore", "pipe", "ignore"] });
}

/** The same as a shell's command, for a tree that only a mount namespace has. */
export function gnuTarCommand(directory: string, file: string, { xattrs = true } = {}): string {
  return `tar ${(xattrs ? WHOLE : PLAIN).map((option) => `'${option}'`).join(" ")} -C '${directory}' -cf '${file}' .`;
}

/** Every file's extended attributes, a line each, in the order of names: a file system lists them in any. */
export function xattrLines(directory: string): string[] {
  const lines: string[] = [];
  const visit = (path: Buffer) => {
    const target = { path, follow: false };
    for (const name of [...listXattrs(target)].sort()) {
      const value = Buffer.from(getXattr(target, name) ?? "").toString("hex");
      lines.push(`${path.subarray(directory.length).toString("latin1")} ${name}=${value}`);
    }
    if (!lstatSync(path).isDirectory()) return;
    const names = readdirSync(path, { encoding: "buffer" });
    for (const name of names.sort(Buffer.compare)) {
      visit(Buffer.concat([path, Buffer.from("/"), name]));
    }
  };
  visit(Buffer.from(directory));
  return lines;
}

/** Unpacks as GNU tar does. */
export function gnuUntar(archive: Buffer, directory: string): void {
  const argv = ["--xattrs", "--xattrs-include=*", "--numeric-owner", "-p", "-C", directory, "-x"];
  const { status, stderr } = spawnSync("tar", argv, { input: archive, maxBuffer: MAX_BYTES });
  if (status !== 0) throw new Error(`tar -x: ${stderr.toString()}`);
}

/** What GNU tar lists of an archive, a line each: type and mode, owner, size, time, name. */
export function gnuList(archive: Buffer): string[] {
  const argv = ["--full-time", "--numeric-owner", "-tv"];
  const { status, stdout, stderr } = spawnSync("tar", argv, {
    input: archive,
    maxBuffer: MAX_BYTES,
  });
  if (status !== 0) throw new Error(`tar -t: ${stderr.toString()}`);
  return stdout.toString().trimEnd().split("\n");
}
