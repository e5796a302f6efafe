/**
 * Whatever a config.json says, it is planned and encoded, or refused with the JSON path of a field: made
 * from good configurations by mutations, with a fixed seed. Nothing here touches the kernel, so that the
 * worst configuration can be tried as well.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TsrunError } from "../../../src/base/errors.ts";
import { encodePlan } from "../../../src/plan/index.ts";
import { planOnAnyHost } from "../../support/any-host.ts";
import { fullConfig } from "../../support/full-config.ts";

const ROUNDS = 3000;
const SEED = 0x7572_6e21;

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** mulberry32: small, and the same numbers everywhere. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const HOSTILE: readonly Json[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  0.5,
  1e300,
  -1e300,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 63,
  2 ** 64,
  "",
  " ",
  "\0",
  "a\0b",
  "/",
  "..",
  "/../../..",
  "../../etc",
  "/proc/self/fd/3",
  "/proc/self/exe",
  "proc/../../sys",
  "\n",
  "a=b",
  "=",
  "x".repeat(5000),
  "\ud800",
  "ünïcödé",
  "__proto__",
  "constructor",
  "toString",
  "rbind",
  "tmpcopyup",
  "idmap",
  "ridmap=uids=@0-0-1;gids=0-0-1",
  "rshared",
  "remount",
  "SCMP_ACT_NOTIFY",
  "user",
  "mount",
  "cgroup2",
  "max",
  "-1",
  "0-99999999",
  [],
  {},
  [[]],
  [null],
  [{}],
  { a: 1 },
  { "": "" },
  { __proto__x: {} },
];

interface Place {
  readonly holder: Json[] | { [key: string]: Json };
  readonly key: string;
}

function places(value: Json, found: Place[] = []): readonly Place[] {
  if (typeof value !== "object" || value === null) return found;
  for (const key of Object.keys(value)) {
    found.push({ holder: value, key });
    places((value as { [key: string]: Json })[key] as Json, found);
  }
  return found;
}

/** One change at a place: another value, another type, twice, gone, under another name. */
function mutate(config: Json, pick: (below: number) => number): void {
  const all = places(config);
  const { holder, key } = all[pick(all.length)] as Place;
  const object = holder as { [key: string]: Json };
  const old = object[key] as Json;
  switch (pick(8)) {
    case 0:
      delete object[key];
      break;
    case 1:
      object[key] = [old, old];
      break;
    case 2:
      object[key] = { [key]: old };
      break;
    case 3:
      if (Array.isArray(holder)) holder.push(structuredClone(old));
      else object[`${key}x`] = old;
      break;
    case 4: {
      // Something of the same configuration that belongs elsewhere.
      const other = all[pick(all.length)] as Place;
      object[key] = structuredClone((other.holder as { [key: string]: Json })[other.key] as Json);
      break;
    }
    default:
      object[key] = structuredClone(HOSTILE[pick(HOSTILE.length)] as Json);
  }
}

/** Undefined for what was planned; its field for what was refused. Anything else is a bug. */
function outcome(json: string): string | undefined {
  try {
    encodePlan(planOnAnyHost(json));
    return undefined;
  } catch (error) {
    const stack = (error as Error).stack ?? "";
    const why = `${json.slice(0, 3000)}\n${stack}`;
    assert.ok(error instanceof TsrunError, `not a refusal: ${why}`);
    assert.ok(
      error.code === "INVALID_SPEC" || error.code === "UNSUPPORTED",
      `${error.code}: ${why}`,
    );
    assert.ok(error.origin !== undefined && error.origin !== "", `names no field: ${why}`);
    assert.ok(error.message.length < 6000 && !error.message.includes("\0"), why);
    return error.origin;
  }
}

/** What a full configuration asks for on a machine without Intel's resource director. */
function plannable(): Json {
  const config = fullConfig();
  const { intelRdt: _, ...linux } = config.linux;
  return { ...config, linux } as unknown as Json;
}

describe("a hostile config.json", () => {
  it("is tried from configurations that can be planned", () => {
    assert.equal(outcome(JSON.stringify(plannable())), undefined);
  });

  it("is planned or refused by the path of a field, never more than that", () => {
    const pick = random(SEED);
    const refused = new Map<string, number>();
    let planned = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const config = structuredClone(plannable());
      for (let changes = 1 + pick(3); changes > 0; changes -= 1) mutate(config, pick);
      const field = outcome(JSON.stringify(config));
      if (field === undefined) planned += 1;
      else refused.set(field, (refused.get(field) ?? 0) + 1);
    }
    // The mutations reach: many pass, and many different fields are refused.
    assert.ok(planned > ROUNDS / 20, `${planned} of ${ROUNDS} were planned`);
    assert.ok(refused.size > 200, `${refused.size} fields were refused`);
  });

  it("is refused where its text is cut, doubled or garbled", () => {
    const pick = random(SEED + 1);
    const text = JSON.stringify(plannable());
    for (let round = 0; round < ROUNDS / 4; round += 1) {
      const [from, size] = [pick(text.length), pick(8)];
      const noise =
        ["", "{", "]", '"', ",", "\\", "\u0000", "9", "-", "e9", "null"][pick(11)] ?? "";
      const garbled = text.slice(0, from) + noise + text.slice(from + size);
      try {
        encodePlan(planOnAnyHost(garbled));
      } catch (error) {
        assert.ok(error instanceof TsrunError, `${garbled}\n${(error as Error).stack}`);
        assert.match(error.code, /^(INVALID_SPEC|UNSUPPORTED)$/);
      }
    }
  });

  it("is refused however deep it is nested", () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    assert.equal(outcome(`{"ociVersion":${deep}}`), "ociVersion");
  });
});
