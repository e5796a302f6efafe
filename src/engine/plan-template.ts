/**
 * A program that runs one request again and again has its plan compiled and encoded once: what differs
 * from container to container is the id, and it is as long everywhere. Pure, but for the memory.
 */
import { Buffer } from "node:buffer";
import { serialize } from "node:v8";
import { encodePlan, type LaunchPlan, type RelayPlan } from "../plan/index.ts";
import { shortId } from "./container-id.ts";
import type { ContainerId } from "./records.ts";

export interface EncodedPlan {
  /** Its ops are compiled when somebody asks for them: as a rule only a failure does. */
  readonly plan: LaunchPlan;
  readonly bytes: Uint8Array;
}

interface Template {
  readonly plan: LaunchPlan;
  readonly bytes: Uint8Array;
  /** Where the id stands in the bytes, whole or in short. */
  readonly places: readonly { readonly at: number; readonly length: number }[];
}

/** More different requests than this are not a loop over one. */
const MOST_TEMPLATES = 64;
const templates = new Map<string, Template>();

/**
 * The plan that `compile` makes of `inputs`, all of them; they are plain data, maps and sets.
 * v8.serialize because JSON knows neither maps nor bytes.
 */
export function encodeFromTemplate(
  id: ContainerId,
  { inputs, relay }: { readonly inputs: readonly unknown[]; readonly relay: RelayPlan },
  compile: () => LaunchPlan,
): EncodedPlan {
  const key = withoutId(id, serialize(inputs));
  const template = templates.get(key);
  if (template) return fill(template, id, relay, compile);
  const plan = compile();
  const bytes = encodePlan(plan);
  if (templates.size >= MOST_TEMPLATES) templates.clear();
  templates.set(key, { plan, bytes, places: findPlaces(id, bytes) });
  return { plan, bytes };
}

/** Letters that no id has stand for it. */
function withoutId(id: ContainerId, bytes: Buffer): string {
  return bytes.toString("latin1").replaceAll(id, "<id>").replaceAll(shortId(id), "<short id>");
}

function findPlaces(id: ContainerId, bytes: Uint8Array): Template["places"] {
  const places: { at: number; length: number }[] = [];
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const short = shortId(id);
  for (let at = text.indexOf(short); at >= 0; at = text.indexOf(short, at + short.length)) {
    const whole = text.toString("latin1", at, at + id.length) === id;
    places.push({ at, length: whole ? id.length : short.length });
  }
  return places;
}

function fill(
  { plan: first, bytes: original, places }: Template,
  id: ContainerId,
  relay: RelayPlan,
  compile: () => LaunchPlan,
): EncodedPlan {
  const bytes = Buffer.from(original);
  for (const { at, length } of places) bytes.write(id, at, length, "latin1");
  let own: LaunchPlan | undefined;
  const plan = {
    ...withoutOps(first),
    supervision: { ...first.supervision, relay },
    get ops() {
      own ??= compile();
      return own.ops;
    },
  };
  return { plan, bytes };
}

function withoutOps({ ops: _ops, ...rest }: LaunchPlan): Omit<LaunchPlan, "ops"> {
  return rest;
}
