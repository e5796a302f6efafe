/** A bundle: the directory with config.json, read and completed with what the runtime owes it. */
import { closeSync, statSync } from "node:fs";
import { posix } from "node:path";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { openRoot, readFileInRoot } from "../ffi/index.ts";
import { readHierarchy } from "../runtime/index.ts";
import { type OciProcess, type OciSpec, parseSpec } from "../spec/index.ts";
import { named, readJsonFile } from "./json-file.ts";

export interface Bundle {
  /** Absolute. */
  readonly path: string;
  readonly spec: OciSpec;
  readonly warnings: readonly string[];
}

/** Throws INVALID_SPEC, NOT_FOUND. The bundle becomes the working directory: hooks start in it. */
export function readBundle(directory: string | undefined): Bundle {
  if (directory !== undefined) enter(directory);
  const path = process.cwd();
  const { value, warnings } = parseSpec(readConfig(), { bundle: path });
  checkRoot(value.root.path);
  return { path, spec: value, warnings };
}

function enter(directory: string): void {
  named(directory, () => process.chdir(directory));
}

function readConfig(): string {
  try {
    return readJsonFile("config.json");
  } catch (cause) {
    if (!hasErrno(cause, "ENOENT")) throw cause;
    throw new TsrunError("NOT_FOUND", "JSON specification file config.json not found", { cause });
  }
}

function checkRoot(path: string): void {
  const reason = rootFault(path);
  if (reason === undefined) return;
  throw new TsrunError("INVALID_SPEC", `invalid rootfs: ${reason}`, { origin: "root.path" });
}

function rootFault(path: string): string | undefined {
  try {
    const isDirectory = named(path, () => statSync(path)).isDirectory();
    return isDirectory ? undefined : `stat ${path}: not a directory`;
  } catch (error) {
    if (error instanceof TsrunError) return error.message;
    throw error;
  }
}

const DEFAULT_UMASK = 0o022;

/** The process with runc's defaults: a umask, and HOME of its user's entry in the root's /etc/passwd. */
export function completeProcess(process: OciProcess, rootfs: string): OciProcess {
  const { user, env } = process;
  return {
    ...process,
    user: { ...user, umask: user.umask ?? DEFAULT_UMASK },
    env: env.some((entry) => entry.startsWith("HOME="))
      ? env
      : [...env, `HOME=${readHome(rootfs, user.uid)}`],
  };
}

function readHome(rootfs: string, uid: number): string {
  const root = openRoot(rootfs);
  try {
    const text = Buffer.from(readFileInRoot(root, "/etc/passwd")).toString();
    const fields = text.split("\n").map((line) => line.split(":"));
    return fields.find((entry) => entry[2] === String(uid))?.[5] || "/";
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP") || isNoFile(error)) return "/";
    throw error;
  } finally {
    closeSync(root);
  }
}

function isNoFile(error: unknown): boolean {
  return error instanceof TsrunError && error.code === "INVALID_ARGUMENT";
}

/**
 * Where the container's cgroup is, below the hierarchy's top. A relative path, or none, begins beside the
 * caller's own cgroup, as runc has it.
 */
export function resolveCgroupsPath(path: string | undefined, id: string): string {
  if (path?.startsWith("/")) return path;
  const parent = posix.dirname(readHierarchy().ownPath ?? "/");
  return posix.join("/", parent, path ?? id);
}
