import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { TsrunError } from "../../../../src/base/errors.ts";
import { parseCpuList } from "../../../../src/cli/options/cpu-list.ts";
import { parseInteger, parseOctal } from "../../../../src/cli/options/number.ts";
import { parseSize, parseSizeOrUnlimited } from "../../../../src/cli/options/size.ts";
import { parseThrottle } from "../../../../src/cli/options/throttle.ts";
import { refuses } from "./refuses.ts";

const FLAG = "--memory";

describe("parseSize", () => {
  for (const [text, bytes] of [
    ["4096", 4096],
    ["0", 0],
    ["10b", 10],
    ["1k", 1024],
    ["1K", 1024],
    ["1kb", 1024],
    ["1KiB", 1024],
    ["512m", 512 * 2 ** 20],
    ["512 MB", 512 * 2 ** 20],
    ["1.5g", 1.5 * 2 ** 30],
    [".5g", 2 ** 29],
    ["1t", 2 ** 40],
    [" 2m ", 2 ** 21],
  ] as const) {
    it(`reads ${JSON.stringify(text)}`, () => assert.equal(parseSize(FLAG, text), bytes));
  }

  for (const text of [
    "",
    "m",
    "12q",
    "-1",
    "1e3",
    "0x10",
    "1,5g",
    "1 2m",
    "1mm",
    "1  m",
    "∞",
    "b",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      refuses(() => parseSize(FLAG, text), FLAG, text, "it is not a size"));
  }

  it("refuses more than a number can hold", () =>
    refuses(() => parseSize(FLAG, "9999999p"), FLAG, "9999999p", /8 PiB/));

  it("knows that a unit is a thousand and twenty-four of the one before", () => {
    const units = ["b", "k", "m", "g"] as const;
    fc.assert(
      fc.property(fc.nat(10_000), fc.nat(3), (number, power) => {
        const bytes = parseSize(FLAG, `${number}${units[power]}`);
        assert.equal(bytes, number * 1024 ** power);
        assert.equal(parseSize(FLAG, String(bytes)), bytes);
      }),
    );
  });

  it("gives a whole number of bytes or a TsrunError for anything", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^[0-9.]{1,12} ?[kmgtpibKMGB]{0,3}$/)),
        (text) => {
          try {
            const bytes = parseSize(FLAG, text);
            assert.ok(Number.isSafeInteger(bytes) && bytes >= 0);
          } catch (error) {
            assert.ok(error instanceof TsrunError, String(error));
          }
        },
      ),
    );
  });

  it("reads -1 and 0 as no limit where there is one", () => {
    assert.equal(parseSizeOrUnlimited(FLAG, "-1"), -1);
    assert.equal(parseSizeOrUnlimited(FLAG, "0"), -1);
    assert.equal(parseSizeOrUnlimited(FLAG, "1m"), 2 ** 20);
  });
});

describe("parseInteger", () => {
  const range = { min: -1, max: 100 };
  it("reads numbers inside the range", () => {
    assert.equal(parseInteger("--x", "-1", range), -1);
    assert.equal(parseInteger("--x", "+7", range), 7);
    assert.ok(Object.is(parseInteger("--x", "-0", range), 0));
  });
  for (const text of ["", "1.5", "x", "1e2", "--1", "0x1"]) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      refuses(() => parseInteger("--x", text, range), "--x", text, "it is not a whole number"));
  }
  it("refuses numbers outside", () => {
    refuses(() => parseInteger("--x", "101", range), "--x", "101", "it is out of range");
    refuses(() => parseInteger("--x", "-2", range), "--x", "-2", "it is out of range");
  });
});

describe("parseOctal", () => {
  it("reads masks", () => {
    assert.equal(parseOctal("--umask", "0022", 0o777), 0o022);
    assert.equal(parseOctal("--umask", "77", 0o777), 0o77);
  });
  for (const text of ["8", "1000", "-1", "", "0o22", "rwx"]) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      refuses(() => parseOctal("--umask", text, 0o777), "--umask", text));
  }
});

describe("parseCpuList", () => {
  it("takes the kernel's lists", () => {
    for (const text of ["0", "0-3", "0-2,4,7-8"]) assert.equal(parseCpuList("--c", text), text);
  });
  for (const text of ["", "a", "3-1", "0,", "-1", "0--2", "1 2"]) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      refuses(() => parseCpuList("--c", text), "--c", text));
  }
});

describe("parseThrottle", () => {
  it("reads a device and a rate", () => {
    assert.deepEqual(parseThrottle("--device-read-bps", "/dev/sda:1m", "bps"), {
      path: "/dev/sda",
      rate: 2 ** 20,
    });
    assert.deepEqual(parseThrottle("--device-read-iops", "/dev/sda:100", "iops"), {
      path: "/dev/sda",
      rate: 100,
    });
  });
  for (const text of ["/dev/sda", "sda:1m", "/dev/sda:0", ":1m"]) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      refuses(() => parseThrottle("--device-read-bps", text, "bps"), "--device-read-bps", text));
  }
  it("refuses units for operations", () =>
    refuses(
      () => parseThrottle("--device-read-iops", "/dev/a:1m", "iops"),
      "--device-read-iops",
      "1m",
    ));
});
