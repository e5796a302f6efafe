import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { TsrunError } from "../../../../src/base/errors.ts";
import { parseCsvLine } from "../../../../src/cli/options/csv.ts";
import { parseMount } from "../../../../src/cli/options/mounts.ts";
import { parseTmpfs } from "../../../../src/cli/options/tmpfs.ts";
import { parseVolume } from "../../../../src/cli/options/volumes.ts";
import { refuses } from "./refuses.ts";

const CWD = "/home/me/here";

describe("parseVolume", () => {
  const bind = (text: string) => parseVolume(text, CWD).mount;
  const expected = (source: string, target: string, options: string[]) => ({
    type: "bind",
    source,
    target,
    options,
    createSource: true,
  });

  for (const [text, source, target, options] of [
    ["/a:/b", "/a", "/b", []],
    ["/a:/b:ro", "/a", "/b", ["ro"]],
    ["/a:/b:ro,noexec,rslave", "/a", "/b", ["ro", "noexec", "rslave"]],
    ["./a:/b", "/home/me/here/a", "/b", []],
    ["../a:/b/", "/home/me/a", "/b", []],
    [".:/b//c/", "/home/me/here", "/b/c", []],
    ["/a:/b:idmap", "/a", "/b", ["idmap"]],
    ["/a:/b:rro,nosymfollow", "/a", "/b", ["rro", "nosymfollow"]],
    ["/a:/b:", "/a", "/b", []],
  ] as const) {
    it(`reads ${text}`, () => assert.deepEqual(bind(text), expected(source, target, [...options])));
  }

  for (const [text, mount] of [
    ["data:/b", { type: "volume", name: "data", target: "/b", options: [] }],
    ["/b", { type: "volume", target: "/b", options: [] }],
    ["d.1:/b:ro", { type: "volume", name: "d.1", target: "/b", options: ["ro"] }],
    [
      "d:/b:nocopy,U,z",
      { type: "volume", name: "d", target: "/b", options: [], copyUp: false, chown: true },
    ],
    ["d:/b:copy,idmap", { type: "volume", name: "d", target: "/b", options: ["idmap"] }],
  ] as const) {
    it(`reads ${text} as a volume`, () => assert.deepEqual(bind(text), mount));
  }

  it("ignores z and Z with a note", () => {
    for (const option of ["z", "Z"]) {
      const { mount, notes } = parseVolume(`/a:/b:ro,${option}`, CWD);
      assert.deepEqual(mount.options, ["ro"]);
      assert.equal(notes.length, 1);
      assert.match(notes[0] ?? "", /has no effect/);
    }
  });

  for (const text of [
    "",
    ":/b",
    "/a:/b:ro:x",
    "/a:b",
    "/a:/",
    "/a:/../b",
    "/a:/b:bogus",
    "/a:/b:ro,rw",
    "/a:/b:rslave,rshared",
    "-x:/b",
    "a/b:/c",
    "data:b",
    "data:/b:bogus",
    "b",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () =>
      refuses(() => parseVolume(text, CWD), "--volume", text));
  }
  for (const text of ["/a:/b:U", "/a:/b:O", "data:/b:O", "/a:/b:idmap=uids=0-1-1"]) {
    it(`says that ${text} is not there`, () =>
      refuses(() => parseVolume(text, CWD), "--volume", text, /./, "UNSUPPORTED"));
  }

  it("keeps every path without a colon, whatever it is", () => {
    const name = fc
      .string({ minLength: 1 })
      .filter((text) => !/[:/\0]/.test(text) && !/^\.\.?$/.test(text));
    const path = fc
      .array(name, { minLength: 1, maxLength: 4 })
      .map((names) => `/${names.join("/")}`);
    fc.assert(
      fc.property(
        path,
        path,
        fc.subarray(["ro", "nosuid", "noexec", "rslave"]),
        (source, target, options) => {
          assert.deepEqual(
            bind(`${source}:${target}:${options.join(",")}`),
            expected(source, target, options),
          );
        },
      ),
    );
  });
});

describe("parseCsvLine", () => {
  it("reads quoted fields", () => {
    assert.deepEqual(parseCsvLine('a,"b,c","say ""x""",'), ["a", "b,c", 'say "x"', ""]);
    assert.equal(parseCsvLine('a,"b'), undefined);
    assert.equal(parseCsvLine('a"b'), undefined);
  });

  it("gives back what was written", () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (fields) => {
        const line = fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(",");
        assert.deepEqual(parseCsvLine(line), fields);
      }),
    );
  });
});

describe("parseMount", () => {
  const mount = (text: string) => parseMount(text, CWD).mount;

  for (const [text, expected] of [
    [
      "type=bind,source=/a,target=/b",
      { type: "bind", source: "/a", target: "/b", options: [], createSource: false },
    ],
    [
      "type=bind,src=a,dst=/b,ro,bind-propagation=rslave",
      {
        type: "bind",
        source: "/home/me/here/a",
        target: "/b",
        options: ["ro", "rslave"],
        createSource: false,
      },
    ],
    [
      "type=bind,src=/a,destination=/b,readonly=false,noexec=true,nosuid=false,bind-nonrecursive",
      {
        type: "bind",
        source: "/a",
        target: "/b",
        options: ["rw", "noexec", "bind"],
        createSource: false,
      },
    ],
    [
      '"type=bind","src=/a,b",dst=/c,idmap',
      { type: "bind", source: "/a,b", target: "/c", options: ["idmap"], createSource: false },
    ],
    [
      "type=tmpfs,dst=/t,tmpfs-size=64m,tmpfs-mode=1777,noexec",
      { type: "tmpfs", target: "/t", options: ["size=67108864", "mode=1777", "noexec"] },
    ],
    [
      "type=volume,src=data,dst=/t,ro,nocopy,U",
      {
        type: "volume",
        name: "data",
        target: "/t",
        options: ["ro"],
        copyUp: false,
        chown: true,
      },
    ],
    ["target=/t", { type: "volume", target: "/t", options: [] }],
    ["type=tmpfs,target=/t,notmpcopyup", { type: "tmpfs", target: "/t", options: ["notmpcopyup"] }],
  ] as const) {
    it(`reads ${text}`, () => assert.deepEqual(mount(text), expected));
  }

  it("ignores relabel with a note", () => {
    const { notes } = parseMount("type=bind,src=/a,dst=/b,relabel=shared", CWD);
    assert.match(notes[0] ?? "", /has no effect/);
  });

  for (const text of [
    "type=bind,source=/a",
    "type=bind,target=/b",
    "type=bind,source=/a,target=b",
    "type=bind,source=/a,target=/b,frob=1",
    "type=bind,source=/a,target=/b,tmpfs-size=1m",
    "type=bind,source=/a,source=/c,target=/b",
    "type=bind,source=/a,target=/b,bind-propagation=frob",
    "type=bind,source=,target=/b",
    "type=bind,source=/a,target=/b,ro,rw",
    "type=tmpfs,target=/t,source=/a",
    "type=tmpfs,target=/t,tmpfs-mode=9",
    "type=frob,target=/t",
    "type=volume,src=a/b,target=/t",
    "type=volume,src=a,target=/t,tmpfs-size=1m",
    'type=bind,"source=/a',
  ]) {
    it(`refuses ${text}`, () => {
      const readable = () => parseMount(text, CWD);
      assert.throws(readable, (error) => {
        assert.ok(error instanceof TsrunError);
        assert.equal(error.code, "INVALID_ARGUMENT");
        assert.match(error.message, /for --mount: /);
        return true;
      });
    });
  }
  for (const text of [
    "type=glob,target=/t",
    "type=image,source=a,target=/t",
    "type=bind,src=/a,dst=/b,U=true",
  ]) {
    it(`says that ${text} is not there`, () =>
      refuses(() => parseMount(text, CWD), "--mount", text, /./, "UNSUPPORTED"));
  }

  it("gives a mount or a TsrunError for anything", () => {
    const field = fc.oneof(
      fc.constantFrom("type=bind", "type=tmpfs", "src=/a", "dst=/b", "ro", "U", '"', "ro=x"),
      fc.string({ maxLength: 10 }),
    );
    fc.assert(
      fc.property(fc.array(field, { maxLength: 6 }), (fields) => {
        try {
          assert.match(mount(fields.join(",")).target, /^\/./);
        } catch (error) {
          assert.ok(error instanceof TsrunError, String(error));
        }
      }),
    );
  });
});

describe("parseTmpfs", () => {
  it("reads a target and mount options", () => {
    assert.deepEqual(parseTmpfs("/t"), { type: "tmpfs", target: "/t", options: [] });
    assert.deepEqual(parseTmpfs("/t:rw,size=1k,mode=1777,noexec,uid=5,nr_inodes=10k,size=50%"), {
      type: "tmpfs",
      target: "/t",
      options: ["rw", "size=1024", "mode=1777", "noexec", "uid=5", "nr_inodes=10k", "size=50%"],
    });
  });
  for (const text of ["t", "/t:frob", "/t:rw:x", "/t:mode=888", "/t:uid=x", "/", "/t:ro,rw"]) {
    it(`refuses ${text}`, () => {
      assert.throws(() => parseTmpfs(text), { code: "INVALID_ARGUMENT", message: /for --tmpfs: / });
    });
  }
});
