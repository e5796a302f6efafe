/**
 * Commands of users who are not root. One that keeps images gives files to ids that only a user
 * namespace has: tsrun becomes itself anew in one (nsenter(1)), with the same pid, terminal and
 * descriptors, so that signals and the exit status need nobody in between.
 */
import { closeSync, existsSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { hasErrno, TsrunError } from "../base/errors.ts";
import { readRuntimeDirectory } from "../engine/index.ts";
import { replaceProcess } from "../ffi/index.ts";
import { createOwnUserNamespace, type OwnIds, parseSubordinateIds } from "../runtime/index.ts";
import { openEngineFor } from "./engine-context.ts";
import type { CommandSpec, GlobalOptions } from "./table/types.ts";

/**
 * Returns where the command can go on as it is; in a new user namespace the program begins from the
 * start. Throws UNSUPPORTED for a command that needs root.
 */
export async function settleWithoutRoot(spec: CommandSpec, globals: GlobalOptions): Promise<void> {
  const { TSRUN_USERNS_FD } = process.env;
  if (TSRUN_USERNS_FD !== undefined) {
    // We are there: nsenter has used it, and nobody else is to have it.
    delete process.env["TSRUN_USERNS_FD"];
    closeSync(Number(TSRUN_USERNS_FD));
  }
  if (process.geteuid?.() === 0) return;
  if (spec.withoutRoot === undefined) throw needsRoot(spec.name);
  // login writes where pull reads, also where sudo(8) has left another user's.
  const runtime = readRuntimeDirectory();
  if (runtime === undefined) delete process.env["XDG_RUNTIME_DIR"];
  else process.env["XDG_RUNTIME_DIR"] = runtime;
  if (spec.withoutRoot === "in-namespace") await enterUserNamespace(globals);
}

function needsRoot(name: string): TsrunError {
  return new TsrunError("UNSUPPORTED", `"tsrun ${name}" needs root`, {
    hint: `Use \`sudo tsrun ${name}\`. Without root tsrun keeps images (pull, push, load, save, import, image …); containers and builds need root so far.`,
  });
}

async function enterUserNamespace(globals: GlobalOptions): Promise<never> {
  const { root, runRoot } = openEngineFor(globals);
  const ids = readOwnIds();
  const fd = await createOwnUserNamespace(ids);
  const env = {
    ...process.env,
    TSRUN_ROOT: root,
    TSRUN_RUN_ROOT: runRoot,
    TSRUN_ROOTLESS_UID: String(ids.uid),
    TSRUN_USERNS_FD: String(fd),
  };
  const [program = "", ...words] = process.argv;
  const nsenter = ["nsenter", `--user=/proc/self/fd/${fd}`, "--preserve-credentials", "--"];
  try {
    return replaceProcess({
      argv: [...nsenter, program, ...process.execArgv, "--", ...words],
      env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      keep: [fd, ...namedDescriptors(words)],
    });
  } catch (error) {
    closeSync(fd);
    if (!hasErrno(error, "ENOENT")) throw error;
    throw new TsrunError("UNSUPPORTED", "nsenter is not installed", {
      hint: "It enters the user namespace in which images are kept without root (Debian: util-linux).",
      cause: error,
    });
  }
}

/** `tsrun load -i <(…)`: the shell has opened it for us, and says its number. */
function namedDescriptors(words: readonly string[]): readonly number[] {
  return words.flatMap((word) => {
    const number = /^(?:.*=)?\/(?:dev|proc\/self)\/fd\/(\d+)$/.exec(word)?.[1];
    return number === undefined || !existsSync(`/proc/self/fd/${number}`) ? [] : [Number(number)];
  });
}

function readOwnIds(): OwnIds {
  const uid = process.geteuid?.() ?? 0;
  const gid = process.getegid?.() ?? 0;
  const users = [...userName(), String(uid)];
  return {
    uid,
    gid,
    uids: parseSubordinateIds(readText("/etc/subuid"), users),
    gids: parseSubordinateIds(readText("/etc/subgid"), users),
  };
}

/** None for a user whom /etc/passwd does not know. */
function userName(): readonly string[] {
  try {
    return [userInfo().username];
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ERR_SYSTEM_ERROR")) return [];
    throw error;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EACCES")) return "";
    throw error;
  }
}
