import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type TarHeader, TarParser } from "../../../src/images/tar-bytes.ts";
import { type Member, tarOf } from "../../support/fake-registry.ts";

interface Parsed {
  readonly header: TarHeader;
  readonly body: string;
  readonly hasEnded: boolean;
}

function parse(archive: Buffer, pieceSize: number): readonly Parsed[] {
  const members: { header: TarHeader; body: string; hasEnded: boolean }[] = [];
  const parser = new TarParser((header) => {
    const member = { header, body: "", hasEnded: false };
    members.push(member);
    return {
      write: (chunk) => {
        member.body += Buffer.from(chunk).toString("latin1");
      },
      end: () => {
        member.hasEnded = true;
      },
    };
  });
  for (let at = 0; at < archive.length; at += pieceSize) {
    parser.write(archive.subarray(at, at + pieceSize));
  }
  parser.end();
  return members;
}

const MEMBERS: readonly Member[] = [
  { name: "dir", type: "directory" },
  { name: "empty", body: "" },
  { name: "block", body: "x".repeat(512) },
  { name: "odd", body: "y".repeat(1300) },
  { name: "link", type: "symlink", linkname: "odd" },
  { name: `long/${"n".repeat(200)}`, body: "z" },
];

describe("a parsed archive", () => {
  it("is the same in whatever pieces it comes", async () => {
    const archive = await tarOf(MEMBERS);
    for (const pieceSize of [1, 100, 512, 513, 4096, archive.length]) {
      const parsed = parse(archive, pieceSize);
      assert.deepEqual(
        parsed.map(({ header, body }) => ({ name: header.name.replace(/\/$/, ""), body })),
        MEMBERS.map(({ name, body }) => ({ name, body: body ?? "" })),
      );
      assert.ok(parsed.every(({ hasEnded }) => hasEnded));
    }
  });

  it("may have thousands of members in one piece", async () => {
    const many = Array.from({ length: 20_000 }, (_, at) => ({ name: `empty-${at}`, body: "" }));
    const archive = await tarOf(many);
    assert.equal(parse(archive, archive.length).length, many.length);
  });

  it("is refused where it is cut off, wherever that is", async () => {
    const archive = await tarOf([{ name: "file", body: "x".repeat(1000) }]);
    for (const length of [100, 600, 1530]) {
      assert.throws(() => parse(archive.subarray(0, length), 512), /Unexpected end of data/);
    }
  });

  it("is refused where a header is damaged", async () => {
    const archive = await tarOf([
      { name: "good", body: "x" },
      { name: "bad", body: "y" },
    ]);
    archive[1030] = 1;
    assert.throws(() => parse(archive, 700), /Invalid tar header/);
  });

  it("ends with what its reader throws", async () => {
    const archive = await tarOf(MEMBERS);
    const reason = new Error("no room");
    const parser = new TarParser(({ name }) => {
      if (name === "block") throw reason;
      return undefined;
    });
    assert.throws(
      () => parser.write(archive),
      (error) => error === reason,
    );
  });
});
