import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TsrunError } from "../../../src/base/errors.ts";
import { checkOperands, parseArguments } from "../../../src/cli/parse-arguments.ts";
import type { CommandSpec } from "../../../src/cli/table/types.ts";
import { COMMANDS } from "../../../src/cli/table.ts";

function command(name: string): CommandSpec {
  const found = COMMANDS.find((candidate) => candidate.name === name);
  assert.ok(found);
  return found;
}

const parse = (name: string, ...words: string[]) => parseArguments(command(name), words);

function refuses(promise: Promise<unknown>, message: string, hint?: string): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof TsrunError, String(error));
    assert.equal(error.message, message);
    if (hint !== undefined) assert.equal(error.hint, hint);
    return true;
  });
}

describe("parseArguments", () => {
  it("reads long and short options, with = or a space, and flags together", async () => {
    const { options, operands } = await parse(
      "run",
      ...[
        "-it",
        "--memory=1g",
        "--cpus",
        "2",
        "-e",
        "A=1",
        "--env=B=2",
        "-eC=3",
        "img",
        "sh",
        "-c",
      ],
    );
    assert.equal(options.flag("interactive"), true);
    assert.equal(options.flag("tty"), true);
    assert.equal(options.flag("rm"), false);
    assert.equal(options.value("memory"), "1g");
    assert.equal(options.value("cpus"), "2");
    assert.deepEqual(options.list("env"), ["A=1", "B=2", "C=3"]);
    assert.deepEqual(operands, ["img", "sh", "-c"]);
  });

  it("takes exactly one value for every option that has one", async () => {
    for (const option of command("run").options) {
      const { options, operands } = await parse(
        "run",
        ...[`--${option.name}`, ...(option.kind === "flag" ? [] : ["value"]), "img", "sh"],
      );
      assert.deepEqual(operands, ["img", "sh"], option.name);
      if (option.kind === "flag") assert.equal(options.flag(option.name), true);
      if (option.kind === "value") assert.equal(options.value(option.name), "value");
      if (option.kind === "list") assert.deepEqual(options.list(option.name), ["value"]);
    }
  });

  it("leaves everything after the image to the command, -- and options too", async () => {
    const { options, operands } = await parse("run", "img", "ls", "--rm", "--", "-x", "--memory");
    assert.deepEqual(operands, ["img", "ls", "--rm", "--", "-x", "--memory"]);
    assert.equal(options.flag("rm"), false);
  });

  it("takes -- as the end of the options", async () => {
    const { operands } = await parse("run", "--rm", "--", "img", "-x");
    assert.deepEqual(operands, ["img", "-x"]);
  });

  it("does not take a value for the image", async () => {
    const { options, operands } = await parse("run", "--name", "web", "-itw", "/srv", "img");
    assert.equal(options.value("name"), "web");
    assert.equal(options.value("workdir"), "/srv");
    assert.deepEqual(operands, ["img"]);
  });

  it("understands flags with values, the last one wins", async () => {
    const on = async (...words: string[]) =>
      (await parse("run", ...words, "img")).options.flag("rm");
    assert.equal(await on("--rm=true"), true);
    assert.equal(await on("--rm=false"), false);
    assert.equal(await on("--rm", "--rm=0"), false);
    assert.equal(await on("--rm=F", "--rm"), true);
    const proxy = async (...words: string[]) =>
      (await parse("run", ...words, "img")).options.flag("sig-proxy");
    assert.equal(await proxy(), true);
    assert.equal(await proxy("--sig-proxy=false"), false);
    assert.equal((await parse("run", "-d=false", "img")).options.flag("detach"), false);
    await refuses(
      parse("run", "--rm=perhaps", "img"),
      'invalid value "perhaps" for --rm: it is neither true nor false',
    );
  });

  it("reads flags that begin with no-, and aliases of options", async () => {
    assert.equal((await parse("ps", "--no-trunc")).options.flag("no-trunc"), true);
    assert.equal((await parse("ps")).options.flag("no-trunc"), false);
    assert.equal((await parse("run", "--net", "none", "i")).options.value("network"), "none");
    assert.equal((await parse("stop", "--timeout=3", "c")).options.value("time"), "3");
  });

  it("takes a value that looks like an option", async () => {
    const { options } = await parse("run", "--memory-swap", "-1", "img");
    assert.equal(options.value("memory-swap"), "-1");
  });

  it("tells the last value of an option that is given twice", async () => {
    assert.equal(
      (await parse("run", "--name", "a", "--name", "b", "i")).options.value("name"),
      "b",
    );
  });

  it("refuses unknown options and suggests the nearest", async () => {
    await refuses(
      parse("run", "--memry", "1g", "img"),
      '"tsrun run" has no option "--memry"',
      "Did you mean --memory?",
    );
    await refuses(
      parse("run", "--cpu=1", "img"),
      '"tsrun run" has no option "--cpu"',
      "Did you mean --cpus?",
    );
    await refuses(parse("ps", "-Z"), '"tsrun ps" has no option "-Z"', "See `tsrun help ps`.");
    await refuses(parse("run", "-iZ", "img"), '"tsrun run" has no option "-Z"');
  });

  it("refuses an option without its value", async () => {
    await refuses(
      parse("run", "--memory"),
      'the option "--memory" needs a value',
      "Write it as --memory SIZE.",
    );
    await refuses(parse("run", "-e"), 'the option "--env" needs a value');
  });

  it("tells a bug in asking for an option that the command does not have", async () => {
    const { options } = await parse("ps");
    assert.throws(() => options.value("memory"), /no value option "memory"/);
    assert.throws(() => options.flag("format"), /no flag option "format"/);
  });
});

describe("checkOperands", () => {
  const check = (name: string, ...operands: string[]) => checkOperands(command(name), operands);

  it("accepts what the table says", () => {
    check("start", "a", "b");
    check("run", "img", "sh", "-c", "x");
    check("run");
    check("rename", "a", "b");
    check("ps");
  });

  it("refuses too few and too many, and tells the usage", () => {
    assert.throws(() => check("rename", "a"), {
      message: '"tsrun rename" needs a NAME',
      hint: "Usage: tsrun rename CONTAINER NAME",
    });
    assert.throws(() => check("ps", "x"), { message: '"tsrun ps" has no place for "x"' });
    assert.throws(() => check("image inspect"), {
      message: '"tsrun image inspect" needs an IMAGE',
    });
  });
});
