/**
 * Questions to a person at the terminal. A script answers by options.
 */
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { TsrunError } from "../../base/errors.ts";

export function askLine(question: string): Promise<string> {
  return ask(question, process.stderr);
}

/** Anything but a yes is a no. Without a terminal it is an error: a script says --force. */
export async function askYesNo(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new TsrunError("INVALID_ARGUMENT", "there is no terminal to ask at", {
      hint: "Use --force to be asked nothing.",
    });
  }
  return /^y(es)?$/i.test((await askLine(question)).trim());
}

/** What is typed is not shown. */
export async function askHidden(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const answer = await ask("", nowhere);
  process.stderr.write("\n");
  return answer;
}

async function ask(question: string, output: NodeJS.WritableStream): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new TsrunError("INVALID_ARGUMENT", "there is no terminal to ask for credentials at", {
      hint: "Use --username and --password-stdin.",
    });
  }
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}
