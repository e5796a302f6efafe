import { existsSync } from "node:fs";
import { TsrunError } from "../base/errors.ts";
import { isContainerId, isIdPrefix } from "./container-id.ts";
import { containerPaths, type Engine } from "./engine.ts";
import type { ContainerId } from "./records.ts";
import { listContainerIds, readConfig } from "./store/config.ts";
import { readNameLink } from "./store/names.ts";

/**
 * The container that is meant: by its exact name, its whole id, or a beginning that only its id has.
 * Throws NOT_FOUND, or AMBIGUOUS_NAME and the ids that fit.
 */
export function resolveContainer(engine: Engine, ref: string): ContainerId {
  if (isContainerId(ref) && existsSync(containerPaths(engine, ref).config)) return ref;
  const named = /^[\w.-]+$/.test(ref) ? readNameLink(engine, ref) : undefined;
  if (named !== undefined && readConfig(engine, named)?.name === ref) return named;
  const fitting = isIdPrefix(ref) ? idsWithPrefix(engine, ref) : [];
  const [only, another] = fitting;
  if (only === undefined) throw noSuchContainer(ref);
  if (another === undefined) return only;
  throw new TsrunError("AMBIGUOUS_NAME", `"${ref}" is the beginning of ${fitting.length} ids`, {
    hint: `Write more of the one that is meant: ${shortList(fitting)}.`,
  });
}

function idsWithPrefix(engine: Engine, prefix: string): ContainerId[] {
  return listContainerIds(engine).filter(
    (id) => id.startsWith(prefix) && existsSync(containerPaths(engine, id).config),
  );
}

const SHOWN = 4;

function shortList(ids: readonly ContainerId[]): string {
  const shown = ids.slice(0, SHOWN).map((id) => id.slice(0, 16));
  return ids.length > SHOWN ? `${shown.join(", ")} and others` : shown.join(", ");
}

export function noSuchContainer(ref: string): TsrunError {
  return new TsrunError("NOT_FOUND", `there is no container "${ref}"`, {
    hint: "`tsrun ps --all` lists the containers.",
  });
}
