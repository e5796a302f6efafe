/**
 * npm run vm -- COMMAND…: runs a command in the test VM (all of cgroup v2, root, the host's files
 * read-only) and exits with its status. `--verbose` first prints the times.
 */
import { runInVm } from "../test/support/vm.ts";

const [first, ...rest] = process.argv.slice(2);
const verbose = first === "--verbose";
const command = verbose ? rest : process.argv.slice(2);
if (command.length === 0) {
  process.stderr.write("usage: npm run vm -- [--verbose] COMMAND [ARGUMENT…]\n");
  process.exit(125);
}
const { status, bootMs, totalMs } = await runInVm({
  command,
  workingDirectory: process.cwd(),
  timeoutMs: Number(process.env["TSRUN_VM_TIMEOUT_MS"] ?? 1_200_000),
  onStdout: (chunk) => process.stdout.write(chunk),
  onStderr: (chunk) => process.stderr.write(chunk),
});
if (verbose) {
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  process.stderr.write(`vm: booted in ${seconds(bootMs)} s, ${seconds(totalMs)} s in all\n`);
}
process.exitCode = status;
