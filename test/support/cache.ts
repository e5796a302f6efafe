/**
 * Things that are slow to make and the same for every run (a kernel, a Debian tree) are made once
 * and kept outside the checkout, so that a fresh clone finds them.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * $TSRUN_CACHE, else /var/cache/tsrun for root, else ~/.cache/tsrun. Root's is not in its home,
 * which is 0700: a container with a user namespace could not walk to a root file system below it.
 */
export function cacheDirectory(): string {
  const chosen = process.env["TSRUN_CACHE"];
  if (chosen !== undefined && chosen !== "") return chosen;
  if (process.getuid?.() === 0) return "/var/cache/tsrun";
  return join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "tsrun");
}

/**
 * The cached folder `name`, made by `build` if it is not there. `build` gets an empty folder beside
 * the final one; only a finished one is renamed into place, and of several processes one builds
 * while the others wait.
 */
export async function cachedFolder(
  name: string,
  build: (emptyFolder: string) => Promise<void>,
): Promise<string> {
  const folder = join(cacheDirectory(), name);
  if (existsSync(folder)) return folder;
  mkdirSync(join(folder, ".."), { recursive: true, mode: 0o755 });
  const unlock = await lock(`${folder}.lock`);
  const unfinished = `${folder}.tmp`;
  try {
    if (existsSync(folder)) return folder;
    rmSync(unfinished, { recursive: true, force: true }); // a builder that was killed left it
    mkdirSync(unfinished, { mode: 0o755 });
    await build(unfinished);
    renameSync(unfinished, folder);
    return folder;
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw error;
  } finally {
    unlock();
  }
}

/** Waits until this process owns `path`. The file holds its owner's pid; a dead owner's lock is taken over. */
async function lock(path: string): Promise<() => void> {
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => rmSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (ownerIsGone(path)) rmSync(path, { force: true });
    else await sleep(200);
  }
}

function ownerIsGone(lockFile: string): boolean {
  try {
    const pid = readFileSync(lockFile, "utf8");
    return pid !== "" && !existsSync(`/proc/${pid}`); // "": created, its pid not written yet
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false; // released just now
    throw error;
  }
}
