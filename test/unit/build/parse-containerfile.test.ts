import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseContainerfile } from "../../../src/build/parse-containerfile.ts";

/** The instructions behind "FROM base". */
function instructions(text: string) {
  const { stages } = parseContainerfile(`FROM base\n${text}`, "Containerfile");
  return (stages[0]?.statements ?? []).map(({ instruction }) => instruction);
}

function instruction(text: string) {
  const [first, ...others] = instructions(text);
  assert.equal(others.length, 0);
  return first;
}

function fails(text: string, message: RegExp) {
  assert.throws(() => parseContainerfile(text, "Containerfile"), message);
}

describe("a Containerfile's lines", () => {
  it("joins continued lines, without the comments and empty lines between them", () => {
    const text = 'RUN echo "a  b" && \\\n  # a comment\n  echo c \\\n\n  && echo d#e \\  \n f';
    assert.deepEqual(instruction(text), {
      keyword: "RUN",
      command: { form: "shell", script: 'echo "a  b" &&   echo c   && echo d#e  f' },
      flags: [],
      heredocs: [],
    });
  });

  it("does not take an escaped escape character for a continuation", () => {
    assert.equal(instructions("RUN echo a\\\\\nRUN b").length, 2);
  });

  it("continues lines with another escape character where a directive says so", () => {
    const file = parseContainerfile("# escape=`\nFROM base\nRUN a `\n b\\\nCMD x", "f");
    assert.equal(file.escapeChar, "`");
    const scripts = file.stages[0]?.statements.map(({ text }) => text);
    assert.deepEqual(scripts, ["RUN a b\\", "CMD x"]);
  });

  it("reads no directive behind the first other line", () => {
    assert.equal(parseContainerfile("# x\n# escape=`\nFROM base", "f").escapeChar, "\\");
  });

  it("knows where each instruction begins", () => {
    const { stages } = parseContainerfile("\n# c\nFROM a\n\nRUN b \\\n c\n\nCMD d\n", "f");
    const lines = stages[0]?.statements.map(({ line }) => line);
    assert.deepEqual([stages[0]?.from.line, lines], [3, [5, 8]]);
  });

  it("reads files with carriage returns and a byte order mark", () => {
    const { stages } = parseContainerfile("\uFEFFFROM a\r\nRUN b\\\r\n c\r\n", "f");
    assert.equal(stages[0]?.statements[0]?.text, "RUN b c");
  });
});

describe("here-documents", () => {
  it("are the script of a RUN that is nothing else", () => {
    assert.deepEqual(instruction("RUN <<EOF\n# kept\necho $X\nEOF"), {
      keyword: "RUN",
      command: { form: "shell", script: "# kept\necho $X\n" },
      flags: [],
      heredocs: [{ name: "EOF", contents: "# kept\necho $X\n", expand: true }],
    });
  });

  it("are left to the shell where a command reads them", () => {
    assert.deepEqual(instruction('RUN cat <<A && cat <<-"B"\none\nA\n\ttwo\n\tB'), {
      keyword: "RUN",
      command: {
        form: "shell",
        script: 'cat <<A && cat <<-"B"\none\nA\n\ttwo\nB',
      },
      flags: [],
      heredocs: [],
    });
  });

  it("are files of a COPY, without their tabs and as they are where that is asked for", () => {
    assert.deepEqual(instruction("COPY --chown=1:2 <<-F <<'G' /d/\n\ttext $V\n\tF\nraw\nG"), {
      keyword: "COPY",
      flags: [{ name: "chown", value: "1:2" }],
      sources: ["<<-F", "<<'G'"],
      target: "/d/",
      quoted: true,
      heredocs: [
        { name: "F", contents: "text $V\n", expand: true },
        { name: "G", contents: "raw\n", expand: false },
      ],
    });
  });

  it("must end", () => {
    fails("FROM a\nRUN <<EOF\nx\n", /Containerfile:2: the here-document "EOF" does not end/);
  });
});

describe("instructions", () => {
  it("have the JSON form only where it is JSON", () => {
    assert.deepEqual(instruction('CMD ["a", "b\\"c", " d"]'), {
      keyword: "CMD",
      command: { form: "exec", args: ["a", 'b"c', " d"] },
    });
    assert.deepEqual(instruction("CMD ['a']"), {
      keyword: "CMD",
      command: { form: "shell", script: "['a']" },
    });
  });

  it("take variables in both forms", () => {
    assert.deepEqual(instruction(`ENV A=1 B="x y" C=d\\ e D='q $x'`), {
      keyword: "ENV",
      pairs: [
        { name: "A", value: "1" },
        { name: "B", value: '"x y"' },
        { name: "C", value: "d\\ e" },
        { name: "D", value: "'q $x'" },
      ],
    });
    assert.deepEqual(instruction("ENV OLD some  value=1 "), {
      keyword: "ENV",
      pairs: [{ name: "OLD", value: "some  value=1" }],
    });
    assert.deepEqual(instruction('LABEL "c d"="e=f"'), {
      keyword: "LABEL",
      pairs: [{ name: '"c d"', value: '"e=f"' }],
    });
  });

  it("have flags in front, and words that look like them behind", () => {
    assert.deepEqual(instruction("RUN --mount=type=cache,target=/c --network=none -- --x --y"), {
      keyword: "RUN",
      command: { form: "shell", script: "--x --y" },
      flags: [
        { name: "mount", value: "type=cache,target=/c" },
        { name: "network", value: "none" },
      ],
      heredocs: [],
    });
  });

  it("name a stage and its platform", () => {
    const text = "ARG V=1\nFROM --platform=linux/amd64 base:$V as B\n";
    const { stages, globals } = parseContainerfile(text, "f");
    assert.deepEqual(stages[0]?.from.instruction, {
      ...{ keyword: "FROM", image: "base:$V", name: "B" },
      platform: "linux/amd64",
    });
    assert.deepEqual(globals[0]?.instruction.args, [{ name: "V", value: "1" }]);
  });

  it("keep a trigger as it is, and find its mistakes", () => {
    assert.deepEqual(instruction("onbuild COPY --from=x . /app"), {
      keyword: "ONBUILD",
      trigger: "COPY --from=x . /app",
    });
    fails("FROM a\nONBUILD FROM b", /ONBUILD cannot trigger FROM/);
    fails("FROM a\nONBUILD NOPE b", /Containerfile:2: "NOPE" is no instruction/);
  });

  it("say with the line what is wrong", () => {
    fails("FROM a\nRUN \0", /Containerfile:2: there is a NUL byte in it/);
    fails("RUN x", /Containerfile:1: RUN stands before the first FROM/);
    fails("# nothing", /there is no FROM/);
    fails("FROM a\n\nBOGUS x", /Containerfile:3: "BOGUS" is no instruction/);
    fails("FROM a\nCOPY --bogus=1 a b", /Containerfile:2: COPY has no option --bogus/);
    fails("FROM a\nCOPY a", /COPY needs a source and a target/);
    fails("FROM a b", /FROM is not followed by/);
    fails("FROM a AS x\nFROM b AS X", /another stage is called "x"/);
    fails("FROM a\nENV A", /ENV has no value for "A"/);
    fails("FROM a\nSHELL sh", /SHELL is no JSON array/);
    fails("FROM a\nHEALTHCHECK x", /HEALTHCHECK x is not known/);
    fails("FROM a\nCMD", /CMD has no arguments/);
  });
});
