// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are words of a Containerfile
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseContainerfile, parseTriggers } from "../../../src/build/parse-containerfile.ts";
import { findSource, planStages } from "../../../src/build/plan-stages.ts";
import { planSteps } from "../../../src/build/plan-steps.ts";
import type { CopyAction, RunAction } from "../../../src/build/step.ts";
import type { ImageProcessConfig } from "../../../src/images/index.ts";

const BUILTIN = { TARGETARCH: "amd64" };

function stagesOf(text: string, { args = {}, target = "" } = {}) {
  return planStages(parseContainerfile(text, "f"), {
    ...{ file: "f", buildArgs: args, builtin: BUILTIN },
    ...(target === "" ? {} : { target }),
  });
}

interface Options {
  readonly base?: ImageProcessConfig;
  readonly args?: Readonly<Record<string, string>>;
}

/** The last stage's steps. */
function stepsOf(text: string, { base = {}, args = {} }: Options = {}) {
  const { stages, globals } = stagesOf(text, { args });
  const stage = stages.at(-1);
  assert.ok(stage);
  const triggers = parseTriggers(base.OnBuild ?? [], stage.from.line);
  return planSteps({
    ...{ file: "f", escapeChar: "\\", base, globals, builtin: BUILTIN, buildArgs: args },
    statements: [...triggers, ...stage.statements],
    findSource: (name) => findSource(name, stages),
  });
}

const lastOf = (text: string, options?: Options) => {
  const step = stepsOf(text, options).at(-1);
  assert.ok(step);
  return step;
};
const configOf = (text: string, options?: Options) => lastOf(text, options).config;
const runOf = (text: string, options?: Options) => lastOf(text, options).action as RunAction;
const copyOf = (text: string, options?: Options) => lastOf(text, options).action as CopyAction;

describe("planning stages", () => {
  it("builds only what the target needs, in order", () => {
    const text = [
      "FROM a AS one\nFROM b AS two\nFROM scratch AS three",
      "COPY --from=one x y\nRUN --mount=type=bind,from=0,target=/m true\nFROM three AS four",
    ].join("\n");
    const { stages, target } = stagesOf(text);
    assert.equal(target, 3);
    assert.deepEqual(
      stages.map(({ index, base, needs }) => ({ index, base, needs })),
      [
        { index: 0, base: { kind: "image", name: "a" }, needs: [] },
        { index: 2, base: { kind: "scratch" }, needs: [0] },
        { index: 3, base: { kind: "stage", stage: 2 }, needs: [2] },
      ],
    );
    assert.deepEqual(
      stagesOf(text, { target: "TWO" }).stages.map(({ name }) => name),
      ["two"],
    );
    assert.throws(() => stagesOf(text, { target: "x" }), /no stage "x"/);
  });

  it("takes a later stage's name for an image", () => {
    const { stages } = stagesOf("FROM two AS one\nFROM one AS two");
    assert.deepEqual(stages[0]?.base, { kind: "image", name: "two" });
  });

  it("puts global arguments into FROM, the builder's before the defaults", () => {
    const text = "ARG V=1\nARG W=${V}-x\nFROM --platform=linux/$TARGETARCH base:$W";
    assert.deepEqual(stagesOf(text).stages[0]?.base, { kind: "image", name: "base:1-x" });
    const given = stagesOf(text, { args: { V: "2" } }).stages[0];
    assert.deepEqual(given?.base, { kind: "image", name: "base:2-x" });
    assert.equal(given?.platform, "linux/amd64");
    assert.throws(() => stagesOf("FROM $NOPE"), /f:1: FROM "\$NOPE" names no image/);
  });
});

describe("planning steps", () => {
  it("knows arguments by builder, then default, then global, and variables before them", () => {
    const text = "ARG G=global\nFROM a\nARG G\nARG D=$G-default\nARG E=arg\nENV E=env\nRUN x";
    assert.deepEqual(runOf(text).env, { G: "global", D: "global-default", E: "env" });
    assert.deepEqual(runOf(text, { args: { D: "given", E: "given", X: "unknown" } }).env, {
      ...{ G: "global", D: "given", E: "env" },
    });
    const undeclared = runOf("ARG G=1\nFROM a\nRUN x", { args: { G: "2", HTTP_PROXY: "p" } });
    assert.deepEqual([undeclared.env, undeclared.hiddenEnv], [{}, { HTTP_PROXY: "p" }]);
  });

  it("keeps a variable's place, and reads all values before it sets one", () => {
    const base = { Env: ["PATH=/bin", "A=1"] };
    const text = "FROM a\nENV A=2 B=$A\nENV PATH=$PATH:/x";
    assert.deepEqual(configOf(text, { base }).Env, ["PATH=/bin:/x", "A=2", "B=1"]);
  });

  it("runs shell forms in the image's shell, and exec forms as they are", () => {
    assert.deepEqual(runOf("FROM a\nRUN echo $X").args, ["/bin/sh", "-c", "echo $X"]);
    assert.deepEqual(runOf('FROM a\nSHELL ["ash", "-ec"]\nRUN y').args, ["ash", "-ec", "y"]);
    assert.deepEqual(runOf('FROM a\nRUN ["y", "$X"]').args, ["y", "$X"]);
    const script = runOf("FROM a\nRUN <<EOF\n#!/bin/x\ny\nEOF");
    assert.deepEqual([script.args, script.script?.contents], [["/dev/pipes/EOF"], "#!/bin/x\ny\n"]);
  });

  it("forgets the base's command with a new entrypoint, and keeps the stage's own", () => {
    const base = { Cmd: ["base"], Entrypoint: ["old"] };
    assert.deepEqual(configOf('FROM a\nENTRYPOINT ["e"]', { base }), { Entrypoint: ["e"] });
    assert.deepEqual(configOf('FROM a\nCMD ["c"]\nENTRYPOINT e', { base }), {
      ...{ Cmd: ["c"], Entrypoint: ["/bin/sh", "-c", "e"] },
    });
  });

  it("collects what else a configuration says", () => {
    const text = [
      "FROM a\nUSER $U\nLABEL k=v\nLABEL \"a b\"='c'\nWORKDIR /w\nWORKDIR sub/../x",
      "EXPOSE 80 90/UDP 100-101\nVOLUME /v /w\nSTOPSIGNAL SIGINT\nMAINTAINER me",
      "HEALTHCHECK --interval=1m30s --retries=2 CMD test -e /x\nONBUILD RUN later",
    ].join("\n");
    assert.deepEqual(configOf(`ARG U=me\n${text.replace("\n", "\nARG U\n")}`), {
      User: "me",
      Labels: { k: "v", "a b": "c" },
      WorkingDir: "/w/x",
      ExposedPorts: { "80/tcp": {}, "90/udp": {}, "100/tcp": {}, "101/tcp": {} },
      Volumes: { "/v": {}, "/w": {} },
      StopSignal: "SIGINT",
      Healthcheck: { Test: ["CMD-SHELL", "test -e /x"], Interval: 90e9, Retries: 2 },
      OnBuild: ["RUN later"],
    });
    assert.deepEqual(configOf("FROM a\nHEALTHCHECK NONE").Healthcheck, { Test: ["NONE"] });
  });

  it("runs the base's triggers first, and does not hand them on", () => {
    const steps = stepsOf("FROM a\nRUN own", { base: { OnBuild: ["ENV A=1", "RUN t"] } });
    assert.deepEqual(
      steps.map(({ text, line }) => `${line} ${text}`),
      ["1 ENV A=1", "1 RUN t", "2 RUN own"],
    );
    assert.equal(steps[0]?.config.OnBuild, undefined);
  });

  it("resolves what is copied, and where to", () => {
    const text = "FROM a AS b\nFROM c\nARG D=dir\nWORKDIR /w\nCOPY --from=b --chmod=0750 $D/* to/";
    const { from, sources, target, chmod, isAdd } = copyOf(text);
    assert.deepEqual(
      { from, sources, target, chmod, isAdd },
      {
        from: { kind: "stage", stage: 0 },
        ...{ sources: ["dir/*"], target: "/w/to/", chmod: 0o750, isAdd: false },
      },
    );
    assert.equal(copyOf("FROM a\nWORKDIR /w\nCOPY x .").target, "/w/");
    assert.deepEqual(copyOf('FROM a\nCOPY ["a b", "c\'", "/d"]').sources, ["a b", "c'"]);
    const inline = copyOf("FROM a\nARG V=1\nCOPY <<A <<'B' /d/\n$V \"q\"\nA\n$V\nB");
    assert.deepEqual(inline.sources, []);
    assert.deepEqual(inline.files, [
      { name: "A", contents: '1 "q"\n' },
      { name: "B", contents: "$V\n" },
    ]);
  });

  it("reads mounts of RUN", () => {
    const mountOf = (mount: string) =>
      runOf(`FROM a\nWORKDIR /w\nRUN --mount=${mount} x`).mounts[0];
    assert.deepEqual(mountOf("type=cache,target=c,mode=0700,uid=5"), {
      ...{ type: "cache", target: "/w/c", id: "/w/c", sharing: "shared", readOnly: false },
      ...{ mode: 0o700, uid: 5, gid: 0 },
    });
    assert.deepEqual(mountOf("type=secret,id=s,required"), {
      ...{ type: "secret", id: "s", target: "/run/secrets/s", env: undefined, required: true },
      ...{ mode: 0o400, uid: 0, gid: 0 },
    });
    assert.deepEqual(mountOf("target=/m,src=x,rw"), {
      ...{ type: "bind", target: "/m", from: { kind: "context" }, source: "x", readOnly: false },
    });
    assert.deepEqual(mountOf("type=tmpfs,target=/t,size=1m"), {
      ...{ type: "tmpfs", target: "/t", sizeBytes: 1048576 },
    });
    assert.throws(() => mountOf("type=ssh"), /f:3: --mount has no type "ssh"/);
    assert.throws(() => mountOf("type=cache"), /has no target/);
    assert.throws(() => mountOf("type=tmpfs,target=/t,x=1"), /does not know "x"/);
  });

  it("takes no name for what every object of JavaScript has", () => {
    const step = runOf("FROM a\nARG constructor\nARG toString=1\nRUN x");
    assert.deepEqual(step.env, { toString: "1" });
    assert.throws(() => runOf("FROM a\nRUN --mount=type=constructor,target=/x x"), /has no type/);
    assert.throws(() => stagesOf("ARG constructor\nFROM $constructor"), /names no image/);
  });

  it("writes the history as podman does", () => {
    const text = "FROM a\nARG X=1\nENV  A=1\nRUN echo hi";
    assert.deepEqual(
      stepsOf(text).map(({ createdBy }) => createdBy),
      ["/bin/sh -c #(nop) ARG X=1", "/bin/sh -c #(nop) ENV A=1", "|1 X=1 /bin/sh -c echo hi"],
    );
  });

  it("says with the line what is wrong", () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ["EXPOSE x", /f:2: "x" is no port/],
      ['ENV A="${B:?no b}"', /f:2: B: no b/],
      ["COPY --chmod=u+x a b", /f:2: --chmod cannot be "u\+x"/],
      ["RUN --network=bridge x", /f:2: RUN has no network "bridge"/],
      ["RUN --security=insecure x", /insecure is not supported/],
      ["HEALTHCHECK --interval=x CMD y", /--interval cannot be "x"/],
      ["STOPSIGNAL no-signal", /is no signal/],
      ["ADD --checksum=md5:1 a b", /--checksum cannot be "md5:1"/],
    ];
    for (const [line, message] of wrong) assert.throws(() => stepsOf(`FROM a\n${line}`), message);
  });
});
