/**
 * Input given, both outputs taken, the exit status told; then a command that takes too long.
 *
 *   scripts/node examples/capture.ts
 */
import { run, TsrunError } from "tsrun";

const sorted = await run({
  image: "busybox",
  command: ["sh", "-c", "sort; echo 'that was all' >&2; exit 3"],
  input: "pear\napple\nfig\n",
});
console.log("stdout:", sorted.stdout.trimEnd().split("\n"));
console.log("stderr:", sorted.stderr.trimEnd());
// A command that fails is a result …
console.log("status:", sorted.status);

// … and a container that did not come to its end is an error, with a code to decide by.
try {
  await run({
    image: "busybox",
    command: ["sleep", "1000"],
    signal: AbortSignal.timeout(1000),
  });
} catch (error) {
  if (!(error instanceof TsrunError && error.code === "ABORTED")) throw error;
  console.log(`${error.code}: ${error.message}`);
}

try {
  await run({ image: "busybox", command: ["no-such-command"] });
} catch (error) {
  if (!(error instanceof TsrunError)) throw error;
  console.log(`${error.code}: ${error.message}`);
}
