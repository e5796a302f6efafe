import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseChallenges } from "../../../../src/images/registry/challenge.ts";

function parse(...headers: string[]) {
  return parseChallenges(headers).map(({ scheme, parameters }) => ({
    scheme,
    ...Object.fromEntries(parameters),
  }));
}

describe("a registry's challenge", () => {
  it("is read with its quoted and plain parameters", () => {
    assert.deepEqual(
      parse('Bearer realm="https://auth.example/token",service=registry,scope="a:b:pull,push"'),
      [
        {
          scheme: "bearer",
          realm: "https://auth.example/token",
          service: "registry",
          scope: "a:b:pull,push",
        },
      ],
    );
  });

  it("may be one of several, in one header or in two", () => {
    const both = [
      { scheme: "basic", realm: "x, y" },
      { scheme: "bearer", realm: "z" },
    ];
    assert.deepEqual(parse('Basic realm="x, y", Bearer realm="z"'), both);
    assert.deepEqual(parse('Basic realm="x, y"', 'BEARER Realm="z"'), both);
  });

  it("has its quoted pairs undone", () => {
    assert.deepEqual(parse('Basic realm="a \\"b\\" \\\\c"'), [
      { scheme: "basic", realm: 'a "b" \\c' },
    ]);
  });

  it("ends where it cannot be read", () => {
    assert.deepEqual(parse(""), []);
    assert.deepEqual(parse('Bearer realm="never ends'), [{ scheme: "bearer" }]);
    assert.deepEqual(parse("Negotiate"), [{ scheme: "negotiate" }]);
  });
});
