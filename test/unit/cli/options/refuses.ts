import assert from "node:assert/strict";
import { TsrunError } from "../../../../src/base/errors.ts";

/** A wrong value gives one sentence that names the flag and the value, and a hint that says what to do. */
export function refuses(
  parse: () => unknown,
  flag: string,
  value: string,
  reason: RegExp | string = /./,
  code = "INVALID_ARGUMENT",
): void {
  assert.throws(parse, (error) => {
    assert.ok(error instanceof TsrunError, String(error));
    assert.equal(error.code, code);
    const word = code === "UNSUPPORTED" ? "unsupported" : "invalid";
    const begin = `${word} value "${value}" for ${flag}: `;
    assert.ok(error.message.startsWith(begin), error.message);
    const rest = error.message.slice(begin.length);
    if (typeof reason === "string") assert.equal(rest, reason);
    else assert.match(rest, reason);
    assert.match(error.hint ?? "", /\.$/, `${error.message}: a hint is a sentence`);
    return true;
  });
}
