import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { overlayMountData, overlayParameters } from "../../../src/spec/index.ts";

/** fs/overlayfs/params.c: split at withoutEscapesd separators, then one backslash taken away. */
function split(text: string, separator: string): string[] {
  const parts = [""];
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? "";
    if (char === "\\") parts[parts.length - 1] += char + (text[++at] ?? "");
    else if (char === separator) parts.push("");
    else parts[parts.length - 1] += char;
  }
  return parts;
}
const withoutEscapes = (text: string) => text.replace(/\\(.)/gs, "$1");

describe("overlayMountData", () => {
  it("gives the kernel back every path, whatever is in it", () => {
    const path = fc.string({ unit: fc.constantFrom("a", "/", ":", ",", "\\", "="), minLength: 1 });
    fc.assert(
      fc.property(
        fc.array(path, { minLength: 1, maxLength: 5 }),
        path,
        path,
        (lower, dir, work) => {
          const options = split(
            overlayMountData({ lower, upper: { dir, work }, options: [] }),
            ",",
          );
          const value = (key: string) =>
            options.find((option) => option.startsWith(`${key}=`))?.slice(key.length + 1) ?? "";
          assert.deepEqual(split(value("lowerdir"), ":").map(withoutEscapes), lower);
          assert.equal(withoutEscapes(value("upperdir")), dir);
          assert.equal(withoutEscapes(value("workdir")), work);
        },
      ),
    );
  });
});

describe("overlayParameters", () => {
  it("gives layers one by one as they are, and the upper escaped", () => {
    const root = {
      lower: ["/a:b", "/c"],
      upper: { dir: "/u,u", work: "/w" },
      options: ["volatile", "xino=auto"],
    };
    assert.deepEqual(overlayParameters(root, { append: true }), [
      { key: "lowerdir+", value: "/a:b" },
      { key: "lowerdir+", value: "/c" },
      { key: "upperdir", value: "/u\\,u" },
      { key: "workdir", value: "/w" },
      { key: "volatile" },
      { key: "xino", value: "auto" },
    ]);
  });
});
