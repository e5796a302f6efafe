import { text } from "node:stream/consumers";
import { TsrunError } from "../../base/errors.ts";
import { loggedInAs, login } from "../../images/index.ts";
import type { OptionValues } from "../option-values.ts";
import { printError, printLine } from "../output.ts";
import { readLoginAccess } from "../registry-access.ts";
import type { CommandCall } from "../table/types.ts";
import { askHidden, askLine } from "../terminal/ask.ts";

export async function run({ options, operands }: CommandCall): Promise<void> {
  const [registry = "docker.io"] = operands;
  const access = readLoginAccess(options);
  const known = await loggedInAs(registry, access);
  if (options.flag("get-login")) {
    if (known !== undefined) return printLine(known);
    throw new TsrunError("NOT_FOUND", `you are not logged in to "${registry}"`, {
      hint: `Use \`tsrun login ${registry}\`.`,
    });
  }
  const username = options.value("username") ?? (await askUsername(known));
  const password = await readPassword(options);
  const where = await login(registry, { kind: "password", username, password }, access);
  if (options.flag("verbose")) printError(`The credentials are in ${where}`);
  printLine("Login Succeeded!");
}

async function askUsername(known: string | undefined): Promise<string> {
  const typed = await askLine(known === undefined ? "Username: " : `Username (${known}): `);
  const username = typed === "" ? known : typed;
  if (username) return username;
  throw new TsrunError("INVALID_ARGUMENT", "there is no user name", {
    hint: "Type one, or use --username.",
  });
}

async function readPassword(options: OptionValues): Promise<string> {
  const given = options.value("password");
  if (options.flag("password-stdin")) {
    if (given === undefined) return (await text(process.stdin)).replace(/\r?\n$/, "");
    throw new TsrunError("INVALID_ARGUMENT", "--password and --password-stdin exclude each other", {
      hint: "Prefer --password-stdin: others can see a command line.",
    });
  }
  return given ?? (await askHidden("Password: "));
}
