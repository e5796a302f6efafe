/** Good JSON made bad, at random but the same at each run: what a reader of configurations must stand. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** mulberry32: small, and the same numbers everywhere. */
export function random(seed: number): (below: number) => number {
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

/** A value, by who holds it. */
export interface Place {
  readonly holder: Json[] | { [key: string]: Json };
  readonly key: string;
}

/** Every value of a configuration, those of those included. */
export function places(value: Json, found: Place[] = []): readonly Place[] {
  if (typeof value !== "object" || value === null) return found;
  for (const key of Object.keys(value)) {
    found.push({ holder: value, key });
    places((value as { [key: string]: Json })[key] as Json, found);
  }
  return found;
}

/** Changes it at one place: another value, another type, twice, gone, under another name. */
export function mutate(config: Json, pick: (below: number) => number): void {
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
