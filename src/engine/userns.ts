/**
 * The id maps of a container with a user namespace: the ones that were asked for, or a range that no
 * other container has.
 */
import { readFileSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import { allocateIdRange, type IdRange, parseSubordinateIds } from "../runtime/index.ts";
import type { Engine } from "./engine.ts";
import type { ContainerConfig } from "./records.ts";
import type { NamespacesRequest } from "./request.ts";
import { listContainerIds, readConfig } from "./store/config.ts";
import { lockShared } from "./store/lock.ts";

export type IdMaps = NonNullable<ContainerConfig["userns"]>;

const DEFAULT_AUTO_SIZE = 65_536;
/** Above what distributions give to people and systemd to its own services (subuid(5), UIDS-GIDS.md). */
const DEFAULT_RANGE: IdRange = { first: 0x4000_0000, size: 0x2000_0000 };
/** /etc/subuid's user whose ids are meant for containers: podman's convention. */
const SUBID_USER = "containers";

export interface ChosenMaps extends Disposable {
  readonly maps: IdMaps | undefined;
}

/**
 * Until the answer is disposed of, nobody else chooses: the record that claims the ids must be
 * written before.
 */
export async function chooseIdMaps(
  engine: Engine,
  user: NamespacesRequest["user"],
): Promise<ChosenMaps> {
  if (user?.kind !== "auto") {
    const maps = user?.kind === "maps" ? { uids: user.uids, gids: user.gids } : undefined;
    return { maps, [Symbol.dispose]: () => {} };
  }
  const held = await lockShared(engine, "userns");
  try {
    const size = user.size ?? DEFAULT_AUTO_SIZE;
    const used = usedRanges(engine);
    const uids = allocateIdRange({ within: subordinateRange("/etc/subuid"), size, used });
    const gids = allocateIdRange({ within: subordinateRange("/etc/subgid"), size, used });
    return {
      maps: {
        uids: [{ containerID: 0, hostID: uids.first, size }],
        gids: [{ containerID: 0, hostID: gids.first, size }],
      },
      [Symbol.dispose]: () => held[Symbol.dispose](),
    };
  } catch (error) {
    held[Symbol.dispose]();
    throw error;
  }
}

/** What other containers have, uids and gids alike: a range is then free as both. */
function usedRanges(engine: Engine): IdRange[] {
  return listContainerIds(engine).flatMap((id) => {
    const userns = readConfig(engine, id)?.userns;
    if (!userns) return [];
    return [...userns.uids, ...userns.gids].map(({ hostID, size }) => ({ first: hostID, size }));
  });
}

function subordinateRange(path: string): IdRange {
  try {
    return parseSubordinateRange(readFileSync(path, "utf8"), SUBID_USER) ?? DEFAULT_RANGE;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EACCES")) return DEFAULT_RANGE;
    throw error;
  }
}

/** The largest range of a user in subuid(5). */
function parseSubordinateRange(text: string, user: string): IdRange | undefined {
  return parseSubordinateIds(text, [user]).toSorted((a, b) => b.size - a.size)[0];
}
