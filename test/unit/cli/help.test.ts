import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { commandHelp, programHelp } from "../../../src/cli/help.ts";
import { COMMANDS } from "../../../src/cli/table.ts";

describe("help", () => {
  it("lists every command by its name and summary", () => {
    const help = programHelp(COMMANDS);
    for (const { name, summary } of COMMANDS) {
      assert.match(help, new RegExp(`^  ${name} +${summary.slice(0, 20)}`, "m"));
    }
  });

  for (const command of COMMANDS) {
    it(`lists all of ${command.name}: usage, options, defaults, aliases, examples`, () => {
      const help = commandHelp(command);
      const words = help.replace(/\s+/g, " ");
      assert.ok(help.startsWith(`Usage: tsrun ${command.name}`));
      for (const { name, kind, default: standard } of command.options) {
        assert.match(help, new RegExp(`--${name}( |$)`, "m"));
        if (standard !== undefined && kind !== "flag") assert.ok(words.includes(`(${standard})`));
      }
      for (const alias of command.aliases ?? []) assert.ok(help.includes(alias));
      for (const { command: line } of command.examples) assert.ok(help.includes(`  ${line}\n`));
    });
  }

  it("fits into 80 columns, examples apart", () => {
    for (const command of COMMANDS) {
      const [text = ""] = commandHelp(command).split("\nExamples:");
      const long = text.split("\n").filter((line) => line.length > 80);
      assert.deepEqual(
        long.filter((line) => !line.startsWith("Usage:")),
        [],
      );
    }
    assert.deepEqual(
      programHelp(COMMANDS)
        .split("\n")
        .filter((line) => line.length > 80),
      [],
    );
  });
});
