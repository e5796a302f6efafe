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
import { type Json, mutate, type Place, places, random } from "../../support/mutate-json.ts";

const ROUNDS = 3000;
const SEED = 0x7572_6e21;

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

  it("has no name of JavaScript's own taken for one of a table", () => {
    for (const index of places(plannable()).keys()) {
      for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
        const config = structuredClone(plannable());
        const { holder, key } = places(config)[index] as Place;
        (holder as { [key: string]: Json })[key] = name;
        outcome(JSON.stringify(config));
      }
    }
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
