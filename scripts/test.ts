/**
 * npm test [SUITE…] [FILE…]: everything, on this machine and, at the same time, in the test VM; or
 * the named suites, or the named files. The last line is "N passed, N failed, N skipped".
 *
 * In the VM run test/vm, all of test/native and test/kernel but what says `// @no-vm`, and of test/e2e and
 * test/engines what says `// @vm`.
 */
import { globSync, readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { busyboxRoot, debian13Root, debianRoot } from "../test/support/roots.ts";
import { EmulatorCrash, prepareKernel, runInVm, vmUnavailable } from "../test/support/vm.ts";
import { type Command, PROJECT, runCommand, STATIC_CHECKS } from "./command.ts";
import { installMissing, TEST_PACKAGES } from "./packages.mjs";
import { runFiles } from "./test-files.ts";
import type { TestResult } from "./test-results.ts";

const TIMEOUT_MS_PER_FILE = 900_000;
const VM_TIMEOUT_MS = 2_700_000;
const VM_ATTEMPTS = 3;
const CONCURRENCY = 2;

type Report = (result: TestResult) => void;

interface Suite {
  readonly needsRoot: boolean;
  /** The test files; a suite without files runs `commands`. */
  readonly files?: () => string[];
  readonly run: (files: readonly string[], report: Report) => Promise<void>;
}

const ENGINES = suiteOfFiles("test/engines/{podman,containerd,docker}.test.ts", {
  needsRoot: true,
});
const SUITES: Readonly<Record<string, Suite>> = {
  check: { needsRoot: false, run: (_, report) => runCommands(STATIC_CHECKS, report) },
  unit: suiteOfFiles("test/unit/**/*.test.ts", { needsRoot: false }),
  native: {
    needsRoot: false,
    run: (_, report) =>
      runCommands(
        ["test", "sanitize", "analyze", "fuzz"].map((target) => ({
          name: `make ${target}`,
          argv: ["make", "-s", "-C", "native", target],
        })),
        report,
      ),
  },
  /** The launcher, driven as TypeScript drives it. */
  stage: suiteOfFiles("test/native/**/*.test.ts", { needsRoot: true }),
  kernel: suiteOfFiles("test/kernel/**/*.test.ts", { needsRoot: true }),
  /** On the runtime that $RUNTIME names, else on tsrun-oci. */
  conformance: suiteOfFiles("test/conformance/**/*.test.ts", { needsRoot: true }),
  /** podman, containerd and Docker over tsrun-oci. */
  engines: suiteOfFiles("test/engines/**/*.test.ts", { needsRoot: true }),
  /** The same with Debian 13's engines, in a tree of their own: only when it is asked for by its name. */
  engines13: {
    ...ENGINES,
    run: async (engineFiles, onResult) => {
      process.env["TSRUN_ENGINES_ROOT"] = await debian13Root();
      try {
        await ENGINES.run(engineFiles, onResult);
      } finally {
        delete process.env["TSRUN_ENGINES_ROOT"];
      }
    },
  },
  e2e: suiteOfFiles("test/e2e/**/*.test.ts", { needsRoot: true }),
  vm: { needsRoot: true, files: vmFiles, run: runFilesInVm },
};

/** Suites that run beside each other; those of one lane follow each other. */
const LANES = [
  ["check", "unit", "native", "stage", "kernel", "conformance", "engines", "engines13", "e2e"],
  ["vm"],
];
/** They take long, and are run by their names alone. */
const OPTIONAL = ["engines13"];
const DEFAULT = Object.keys(SUITES).filter((name) => !OPTIONAL.includes(name));

const startedAt = performance.now();
// With it every Node that a test starts would read all certificates first: 50 ms.
delete process.env["NODE_EXTRA_CA_CERTS"];

const { suites, files } = parseArguments(process.argv.slice(2));
const results = new Map<string, TestResult[]>();
const durations = new Map<string, number>();
try {
  await prepare();
  await Promise.all(LANES.map((lane) => runLane(lane.filter((name) => suites.has(name)))));
} catch (error) {
  report(
    "set-up",
    wholeSuite("set-up", { failed: error instanceof Error ? error.message : String(error) }),
  );
}
process.exitCode = summarize() ? 0 : 1;

function parseArguments(args: readonly string[]): { suites: Set<string>; files: string[] } {
  const chosen = new Set(args.filter((arg) => Object.hasOwn(SUITES, arg)));
  const paths = args.filter((arg) => !chosen.has(arg)).flatMap(testFilesAt);
  if (chosen.size > 0) return { suites: chosen, files: paths };
  if (paths.length === 0) return { suites: new Set(DEFAULT), files: [] };
  const host = DEFAULT.filter((name) => name !== "vm");
  return { suites: new Set(host.filter((name) => filesOf(name, paths).length > 0)), files: paths };
}

/** The test file, or the test files below the folder, that was typed. */
function testFilesAt(path: string): string[] {
  const found = globSync([path, `${path}/**/*.test.ts`], { cwd: PROJECT })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => relative(PROJECT, resolve(PROJECT, file)));
  if (found.length > 0) return found;
  const suiteNames = Object.keys(SUITES).join(", ");
  process.stderr.write(
    `npm test: "${path}" is neither a suite (${suiteNames}) nor a test file or folder\n`,
  );
  process.exit(2);
}

/** The suite's files, or those of them that were asked for. */
function filesOf(name: string, wanted: readonly string[]): string[] {
  const all = SUITES[name]?.files?.() ?? [];
  return wanted.length === 0 ? all : all.filter((file) => wanted.includes(file));
}

/** A test that no suite runs would be green for ever. */
function assertEveryFileHasASuite(): void {
  const covered = new Set(Object.keys(SUITES).flatMap((name) => filesOf(name, [])));
  const all = globSync("{test,src,examples,bench}/**/*.test.ts", { cwd: PROJECT });
  const forgotten = all.filter((file) => !covered.has(file));
  if (forgotten.length > 0) throw new Error(`no suite runs ${forgotten.join(", ")}`);
}

/** Packages, the build, the roots and the VM's kernel: what several suites share. */
async function prepare(): Promise<void> {
  assertEveryFileHasASuite();
  const chosenFiles = [...suites].flatMap((name) => filesOf(name, files));
  const below = (...folders: string[]) =>
    chosenFiles.every((file) => folders.some((folder) => file.startsWith(`test/${folder}/`)));
  if (below("unit")) return;
  const everything = DEFAULT.every((name) => suites.has(name));
  if (everything || process.env["CI"] !== undefined) installMissing(TEST_PACKAGES, say);
  // Kernel tests run the sources as they are, over the native launcher.
  const argv: Command["argv"] = below("unit", "native", "kernel", "vm")
    ? ["make", "-s", "-C", "native"]
    : [process.execPath, "scripts/build.ts"];
  const build = await runCommand({ name: "build", argv });
  process.stdout.write(build.output);
  if (!build.ok) throw new Error("the build failed");
  if (process.getuid?.() !== 0) return;
  say("preparing the root file systems and the VM's kernel");
  await Promise.all([busyboxRoot(), debianRoot(), ...(suites.has("vm") ? [prepareKernel()] : [])]);
}

function say(line: string): void {
  process.stdout.write(`test: ${line}\n`);
}

async function runLane(names: readonly string[]): Promise<void> {
  for (const name of names) await runSuite(name);
}

async function runSuite(name: string): Promise<void> {
  const suite = SUITES[name];
  if (suite === undefined) return;
  const begun = performance.now();
  const suiteFiles = filesOf(name, files);
  try {
    if (suite.needsRoot && process.getuid?.() !== 0) {
      report(name, wholeSuite(name, { skipped: "needs root" }));
    } else if (suite.files !== undefined && suiteFiles.length === 0) {
      report(name, wholeSuite(name, { failed: "no test file was found" }));
    } else {
      await suite.run(suiteFiles, (result) => report(name, result));
    }
  } catch (error) {
    report(
      name,
      wholeSuite(name, {
        failed: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
    );
  }
  durations.set(name, performance.now() - begun);
  if ((results.get(name) ?? []).length === 0)
    report(name, wholeSuite(name, { failed: "ran no test" }));
  say(lineOf(name));
}

function suiteOfFiles(pattern: string, { needsRoot }: { needsRoot: boolean }): Suite {
  return {
    needsRoot,
    files: () => globSync(pattern, { cwd: PROJECT }).sort(),
    run: (suiteFiles, onResult) =>
      runFiles({
        files: suiteFiles,
        concurrency: CONCURRENCY,
        timeoutMsPerFile: TIMEOUT_MS_PER_FILE,
        rerunFailed: needsRoot,
        onResult,
      }),
  };
}

async function runCommands(commands: readonly Command[], onResult: Report): Promise<void> {
  for (const command of commands) {
    const { ok, output, durationMs } = await runCommand(command);
    const base = { file: command.argv.join(" "), name: command.name, durationMs };
    if (!ok) {
      onResult({ ...base, outcome: "failed", error: output.trim() });
      continue;
    }
    // A native test program closes with a line such as "plan_test: 95 of 95 ok".
    const programs = [...output.matchAll(/^(\w+_test): (.+)$/gm)];
    for (const [, program, counts] of programs) {
      onResult({ ...base, name: `${command.name}: ${program}: ${counts}`, outcome: "passed" });
    }
    if (programs.length === 0) onResult({ ...base, outcome: "passed" });
  }
}

function vmFiles(): string[] {
  const says = (file: string, marker: string) =>
    new RegExp(`^// @${marker}\\b`, "m").test(readFileSync(resolve(PROJECT, file), "utf8"));
  const all = (pattern: string) => globSync(pattern, { cwd: PROJECT }).sort();
  return [
    ...all("test/vm/**/*.test.ts"),
    ...all("test/{native,kernel}/**/*.test.ts").filter((file) => !says(file, "no-vm")),
    ...all("test/{e2e,engines}/**/*.test.ts").filter((file) => says(file, "vm")),
  ];
}

/** Runs the files in the VM; if the emulator lets its kernel crash, those left run in a new one. */
async function runFilesInVm(suiteFiles: readonly string[], onResult: Report): Promise<void> {
  const unavailable = vmUnavailable();
  if (unavailable !== undefined) {
    onResult(wholeSuite("vm", { skipped: unavailable }));
    return;
  }
  const left = new Set(suiteFiles);
  const onFileResult = (result: TestResult) => {
    left.delete(result.file);
    onResult(result);
  };
  for (let attempt = 1; left.size > 0; attempt++) {
    try {
      await runOnceInVm([...left], onFileResult);
      return;
    } catch (error) {
      if (!(error instanceof EmulatorCrash) || attempt === VM_ATTEMPTS) throw error;
      say(`the VM's emulator failed; ${left.size} files go into a new one`);
    }
  }
}

async function runOnceInVm(vmSuiteFiles: readonly string[], onResult: Report): Promise<void> {
  const decoder = new StringDecoder("utf8"); // a chunk may end within a character
  let pending = "";
  let errors = "";
  const { status, bootMs } = await runInVm({
    command: [
      ...[process.execPath, "scripts/test-files.ts"],
      ...[String(CONCURRENCY), String(TIMEOUT_MS_PER_FILE), ...vmSuiteFiles],
    ],
    workingDirectory: PROJECT,
    timeoutMs: VM_TIMEOUT_MS,
    onStdout: (chunk) => {
      const lines = (pending + decoder.write(chunk)).split("\n");
      pending = lines.pop() ?? "";
      for (const line of lines) onResult(JSON.parse(line) as TestResult);
    },
    onStderr: (chunk) => {
      process.stdout.write(chunk);
      errors += chunk.toString("utf8");
    },
  });
  say(`the VM booted in ${seconds(bootMs)}`);
  if (status !== 0) {
    onResult(
      wholeSuite("vm", { failed: `the test run in the VM ended with ${status}\n${errors}` }),
    );
  }
}

function wholeSuite(name: string, what: { failed: string } | { skipped: string }): TestResult {
  const base = { file: name, name: "(the suite as a whole)", durationMs: 0 };
  return "failed" in what
    ? { ...base, outcome: "failed", error: what.failed }
    : { ...base, outcome: "skipped", reason: what.skipped };
}

function report(suite: string, result: TestResult): void {
  const list = results.get(suite) ?? [];
  list.push(result);
  results.set(suite, list);
  const indented = (text = "") => text.replaceAll(/^/gm, "    ");
  const { file, name, outcome, error, unsteady } = result;
  if (unsteady !== undefined)
    process.stdout.write(`\nUNSTEADY ${suite}: ${file}\n${indented(unsteady)}\n\n`);
  if (outcome === "failed")
    process.stdout.write(`\nFAILED ${suite}: ${file}\n  ${name}\n${indented(error)}\n\n`);
}

function count(list: readonly TestResult[], outcome: TestResult["outcome"]): number {
  return list.filter((result) => result.outcome === outcome).length;
}

function lineOf(name: string): string {
  const list = results.get(name) ?? [];
  const time = seconds(durations.get(name) ?? 0);
  const skipped = count(list, "skipped");
  return [
    name.padEnd(12),
    `${count(list, "passed")} passed, ${count(list, "failed")} failed`,
    skipped === 0 ? "" : `, ${skipped} skipped`,
    ` (${time})`,
  ].join("");
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Prints what was skipped and why, what was unsteady, what failed, and the counts; true if nothing failed. */
function summarize(): boolean {
  const all = [...results].flatMap(([suite, list]) => list.map((result) => ({ suite, result })));
  const out = (line: string) => process.stdout.write(`${line}\n`);
  const skipped = all.filter(({ result }) => result.outcome === "skipped");
  if (skipped.length > 0) out("\nSkipped:");
  for (const { suite, result } of skipped) {
    out(`  ${suite}: ${result.file}: ${result.name}: ${result.reason}`);
  }
  const unsteady = all.filter(({ result }) => result.unsteady !== undefined);
  if (unsteady.length > 0) out("\nUnsteady (their file failed, and was run once more):");
  for (const { suite, result } of unsteady) out(`  ${suite}: ${result.file}: ${result.name}`);
  const failed = all.filter(({ result }) => result.outcome === "failed");
  if (failed.length > 0) out("\nFailed:");
  for (const { suite, result } of failed) out(`  ${suite}: ${result.file}: ${result.name}`);
  out("");
  for (const name of results.keys()) out(lineOf(name));
  out(`in ${seconds(performance.now() - startedAt)}\n`);
  const passed = all.length - failed.length - skipped.length;
  out(`${passed} passed, ${failed.length} failed, ${skipped.length} skipped`);
  return failed.length === 0;
}
