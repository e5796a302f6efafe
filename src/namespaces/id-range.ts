import { TsrunError } from "../base/errors.ts";

/** Ids from `first` on, `size` of them. */
export interface IdRange {
  readonly first: number;
  readonly size: number;
}

/**
 * The lowest free range of `size` ids inside `within` that begins at a multiple of `size` from
 * `within`'s first id, so that ranges given back leave holes that fit again.
 * Throws INVALID_ARGUMENT where none is left.
 */
export function allocateIdRange({
  within,
  size,
  used,
}: {
  readonly within: IdRange;
  readonly size: number;
  readonly used: readonly IdRange[];
}): IdRange {
  const end = within.first + within.size;
  const sorted = used.toSorted((a, b) => a.first - b.first);
  let first = within.first;
  for (const range of sorted) {
    if (range.first >= first + size) break;
    const rangeEnd = range.first + range.size;
    if (rangeEnd <= first) continue;
    first = within.first + Math.ceil((rangeEnd - within.first) / size) * size;
  }
  if (first + size > end) {
    throw new TsrunError(
      "INVALID_ARGUMENT",
      `no ${size} free ids are left in ${within.first}-${end - 1} for another user namespace`,
      { hint: "Remove containers that have their own ids, or give a larger range." },
    );
  }
  return { first, size };
}
