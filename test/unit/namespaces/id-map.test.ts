import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  allocateIdRange,
  formatIdMap,
  type IdRange,
  parseIdMap,
  toContainerId,
  toHostId,
} from "../../../src/namespaces/index.ts";
import type { OciIdMapping } from "../../../src/spec/index.ts";

const ORIGIN = "linux.uidMappings";

/** Maps whose ranges are laid out one after another with gaps, shuffled on the host's side. */
const validMaps = fc
  .array(fc.record({ gap: fc.nat(1000), size: fc.integer({ min: 1, max: 70_000 }) }), {
    minLength: 1,
    maxLength: 20,
  })
  .map((ranges) => {
    let containerID = 0;
    let hostID = 0xffff_0000;
    return ranges.map(({ gap, size }): OciIdMapping => {
      containerID += gap;
      hostID -= size + gap;
      const mapping = { containerID, hostID, size };
      containerID += size;
      return mapping;
    });
  });

function refusal(mappings: readonly OciIdMapping[], origin: string, message: RegExp): void {
  assert.throws(() => formatIdMap(mappings, ORIGIN), { code: "INVALID_SPEC", origin, message });
}

describe("an id map", () => {
  it("is the text that /proc/PID/uid_map takes", () => {
    const mappings = [
      { containerID: 0, hostID: 100_000, size: 1000 },
      { containerID: 1000, hostID: 1000, size: 1 },
    ];
    assert.equal(formatIdMap(mappings, ORIGIN), "0 100000 1000\n1000 1000 1\n");
  });

  it("is read back from the kernel's padded columns", () => {
    assert.deepEqual(parseIdMap("         0          0 4294967295\n"), [
      { containerID: 0, hostID: 0, size: 4_294_967_295 },
    ]);
    assert.deepEqual(parseIdMap(""), []);
    assert.throws(() => parseIdMap("0 0\n"), /is no line of an id map/);
  });

  it("takes every map without overlaps and says the same after a round trip", () => {
    fc.assert(
      fc.property(validMaps, (mappings) => {
        assert.deepEqual(parseIdMap(formatIdMap(mappings, ORIGIN)), mappings);
      }),
    );
  });

  it("translates ids there and back", () => {
    fc.assert(
      fc.property(validMaps, fc.nat(), (mappings, seed) => {
        const { containerID, size } = mappings[seed % mappings.length] as OciIdMapping;
        const id = containerID + (seed % size);
        const hostId = toHostId(mappings, id);
        assert.ok(hostId !== undefined);
        assert.equal(toContainerId(mappings, hostId), id);
      }),
    );
    const mappings = [{ containerID: 5, hostID: 100, size: 10 }];
    assert.equal(toHostId(mappings, 4), undefined);
    assert.equal(toHostId(mappings, 14), 109);
    assert.equal(toHostId(mappings, 15), undefined);
    assert.equal(toContainerId(mappings, 99), undefined);
  });

  it("may hold the whole 32-bit range, as the initial namespace's does", () => {
    const whole = { containerID: 0, hostID: 0, size: 0xffff_ffff };
    assert.equal(formatIdMap([whole], ORIGIN), "0 0 4294967295\n");
  });

  it("names the mapping that is at fault", () => {
    const good = { containerID: 0, hostID: 100_000, size: 10 };
    refusal([good, { containerID: 10, hostID: 200_000, size: 0 }], `${ORIGIN}[1]`, /size is 0/);
    refusal([{ ...good, size: 1.5 }], `${ORIGIN}[0]`, /size is 1.5/);
    refusal([{ ...good, hostID: -1 }], `${ORIGIN}[0]`, /hostID is -1/);
    refusal([{ ...good, hostID: 2 ** 32 - 5 }], `${ORIGIN}[0]`, /up to 4294967300/);
    refusal([{ ...good, containerID: Number.NaN }], `${ORIGIN}[0]`, /containerID is NaN/);
  });

  it("refuses ranges that overlap on either side, in whatever order they come", () => {
    const a = { containerID: 100, hostID: 100_000, size: 100 };
    refusal(
      [a, { containerID: 50, hostID: 0, size: 51 }],
      `${ORIGIN}[0]`,
      /both map containerID 100/,
    );
    refusal(
      [a, { containerID: 199, hostID: 0, size: 1 }],
      `${ORIGIN}[1]`,
      /both map containerID 199/,
    );
    refusal([a, { containerID: 0, hostID: 99_999, size: 2 }], `${ORIGIN}[0]`, /both map hostID/);
    assert.ok(formatIdMap([a, { containerID: 200, hostID: 100_100, size: 1 }], ORIGIN));
  });

  it("keeps to the kernel's 340 lines and one page", () => {
    const lines = (count: number) =>
      Array.from({ length: count }, (_, id) => ({ containerID: id, hostID: id, size: 1 }));
    assert.ok(formatIdMap(lines(340), ORIGIN));
    refusal(lines(341), ORIGIN, /341 mappings/);
    const long = lines(340).map((line) => ({ ...line, hostID: 100_000 + line.hostID }));
    refusal(long, ORIGIN, /bytes as text/);
  });
});

describe("allocateIdRange", () => {
  const within = { first: 100_000, size: 65_536 * 4 };
  const size = 65_536;

  it("begins at the base and goes on behind what is used", () => {
    assert.deepEqual(allocateIdRange({ within, size, used: [] }), { first: 100_000, size });
    const used = [{ first: 100_000, size }];
    assert.deepEqual(allocateIdRange({ within, size, used }), { first: 165_536, size });
  });

  it("reuses a hole", () => {
    const used = [
      { first: 231_072, size },
      { first: 100_000, size },
    ];
    assert.deepEqual(allocateIdRange({ within, size, used }), { first: 165_536, size });
  });

  it("never returns a range that touches a used one, and finds one while there is one", () => {
    const ranges = fc.array(
      fc.record({
        first: fc.integer({ min: 0, max: 400_000 }),
        size: fc.integer({ min: 1, max: 90_000 }),
      }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(ranges, (used) => {
        const fits = (first: number) =>
          used.every((range) => range.first + range.size <= first || first + size <= range.first);
        const places = [0, 1, 2, 3].map((place) => within.first + place * size).filter(fits);
        let found: IdRange | undefined;
        try {
          found = allocateIdRange({ within, size, used });
        } catch {
          found = undefined;
        }
        assert.equal(found?.first, places[0]);
      }),
    );
  });

  it("says so when nothing is left", () => {
    const used = [{ first: 0, size: 1_000_000 }];
    assert.throws(() => allocateIdRange({ within, size, used }), {
      code: "INVALID_ARGUMENT",
      message: /no 65536 free ids are left in 100000-362143/,
    });
  });
});
