/** Runs a command to its end, its output kept. */
import { spawn } from "node:child_process";
import { resolve } from "node:path";

export const PROJECT = resolve(import.meta.dirname, "..");

export interface Command {
  readonly name: string;
  readonly argv: readonly [string, ...string[]];
}

export interface CommandResult {
  readonly ok: boolean;
  /** Standard output and error as they came. */
  readonly output: string;
  readonly durationMs: number;
}

export function runCommand({ argv }: Command): Promise<CommandResult> {
  const [file, ...args] = argv;
  const startedAt = performance.now();
  return new Promise((done, failed) => {
    const child = spawn(file, args, { cwd: PROJECT, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const keep = (chunk: string) => {
      output += chunk;
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    child.on("error", failed);
    child.on("close", (status) => {
      done({ ok: status === 0, output, durationMs: performance.now() - startedAt });
    });
  });
}

/** What `npm run check` and `npm test` look at without running anything of tsrun's. */
export const STATIC_CHECKS: readonly Command[] = [
  {
    name: "types",
    argv: [process.execPath, "node_modules/typescript/bin/tsc", "-p", "tsconfig.test.json"],
  },
  { name: "format and lint", argv: ["node_modules/.bin/biome", "check"] },
  { name: "dead code", argv: [process.execPath, "node_modules/knip/bin/knip.js", "--no-progress"] },
];
