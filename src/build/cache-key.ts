/**
 * By what a step is known: what it stands on, what it does, and which files it uses. The same key means
 * that nothing that counts has changed. Pure.
 */
import { createHash } from "node:crypto";
import type { ImageProcessConfig } from "../images/index.ts";
import type { Action } from "./step.ts";

/** A change of it forgets all that was cached before. */
const VERSION = 1;

export interface KeyParts {
  /** The step's before it, or the base's. */
  readonly parent: string;
  readonly action: Action;
  readonly config: ImageProcessConfig;
  readonly author?: string;
  /** Digests of the files that go in, in order. */
  readonly inputs: readonly string[];
  readonly timestampMs: number | undefined;
}

export function cacheKey({
  parent,
  action,
  config,
  author,
  inputs,
  timestampMs,
}: KeyParts): string {
  const parts = [VERSION, parent, countedOf(action), config, author, inputs, timestampMs];
  return digest(JSON.stringify(parts.map((part) => part ?? null)));
}

/** What files come from is told by the inputs: a stage may have another number tomorrow. */
function countedOf(action: Action): unknown {
  if (action.kind === "copy") {
    const { from, sources, ...rest } = action;
    return rest;
  }
  if (action.kind !== "run") return action;
  const { hiddenEnv, mounts, ...rest } = action;
  return { ...rest, mounts: mounts.map((mount) => ({ ...mount, from: undefined })) };
}

export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
