import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ImageProcessConfig } from "../../../src/images/index.ts";
import { parseImageChange } from "../../../src/images/index.ts";

const BEFORE: ImageProcessConfig = {
  Env: ["PATH=/bin", "A=0"],
  Labels: { a: "1" },
  WorkingDir: "/srv",
  Volumes: { "/old": {} },
};

describe("an instruction of --change", () => {
  const cases: readonly (readonly [string, ImageProcessConfig])[] = [
    ['CMD ["a","b c"]', { Cmd: ["a", "b c"] }],
    ["CMD a b", { Cmd: ["/bin/sh", "-c", "a b"] }],
    ["CMD=/bin/sh", { Cmd: ["/bin/sh", "-c", "/bin/sh"] }],
    ["CMD", { Cmd: [] }],
    ['ENTRYPOINT ["/init"]', { Entrypoint: ["/init"] }],
    ["ENTRYPOINT [broken", { Entrypoint: ["/bin/sh", "-c", "[broken"] }],
    [
      'ENV A=1 B=\'x y\' C="q\\"r" D=a\\ b',
      { Env: ["PATH=/bin", "A=1", "B=x y", 'C=q"r', "D=a b"] },
    ],
    ["env A all the  rest", { Env: ["PATH=/bin", "A=all the  rest"] }],
    ["ENV=A=2", { Env: ["PATH=/bin", "A=2"] }],
    [
      "EXPOSE 80 53/UDP 8000-8010",
      { ExposedPorts: { "80/tcp": {}, "53/udp": {}, "8000-8010/tcp": {} } },
    ],
    ['LABEL b="two words"', { Labels: { a: "1", b: "two words" } }],
    ["ONBUILD RUN make", { OnBuild: ["RUN make"] }],
    ["STOPSIGNAL 2", { StopSignal: "SIGINT" }],
    ["USER 1000:1000", { User: "1000:1000" }],
    ['VOLUME ["/a","/b c"]', { Volumes: { "/old": {}, "/a": {}, "/b c": {} } }],
    ["VOLUME /a /b", { Volumes: { "/old": {}, "/a": {}, "/b": {} } }],
    ["WORKDIR sub/../app", { WorkingDir: "/srv/app" }],
    ["WORKDIR /abs", { WorkingDir: "/abs" }],
  ];
  for (const [text, after] of cases) {
    it(`changes what ${JSON.stringify(text)} says and nothing else`, () => {
      assert.deepEqual(parseImageChange(text)(BEFORE), { ...BEFORE, ...after });
    });
  }

  for (const [text, message] of [
    ["RUN make", /there is no instruction "RUN"/],
    ["", /there is no instruction ""/],
    ["ENV", /names nothing/],
    ["ENV A=1 B", /"B" has no value/],
    ["LABEL lonely", /"lonely" has no value/],
    ["ENV A='open", /a quote is not closed/],
    ["EXPOSE 0", /"0" is no port/],
    ["EXPOSE 70000", /"70000" is no port/],
    ["EXPOSE 90-80", /"90-80" is no port/],
    ["USER", /it has no value/],
    ["VOLUME", /it names no directory/],
    ["STOPSIGNAL NOPE", /is not a signal/],
  ] as const) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseImageChange(text)({}), { code: "INVALID_ARGUMENT", message });
    });
  }
});
