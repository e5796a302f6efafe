/**
 * npm run check: types, lint, dead code, and the unit tests, the architecture's among them; all at
 * once, in seconds. The output of what failed is shown in full.
 */
import { type Command, runCommand, STATIC_CHECKS } from "./command.ts";

const commands: readonly Command[] = [
  ...STATIC_CHECKS,
  { name: "unit tests", argv: [process.execPath, "scripts/test.ts", "unit"] },
];

let failures = 0;
await Promise.all(
  commands.map(async (command) => {
    const { ok, output, durationMs } = await runCommand(command);
    const seconds = (durationMs / 1000).toFixed(1);
    process.stdout.write(`${ok ? "ok  " : "FAIL"} ${command.name} (${seconds} s)\n`);
    if (ok) return;
    failures += 1;
    process.stdout.write(`${output.trim()}\n`);
  }),
);
process.exitCode = failures === 0 ? 0 : 1;
