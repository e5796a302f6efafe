/**
 * Runs test files, each in a process of its own, some at a time; one that looks at the whole host says
 * `// @private`, and is given processes, mounts and cgroups of its own to look at. A file that crashes, hangs, exits
 * with an error though its tests passed, or holds no test is a failure like any other.
 *
 * Run as a program (in the test VM), it prints the results as lines of JSON on its standard output.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { cgroup2MountPoint } from "../test/support/host.ts";
import type { TestResult } from "./test-results.ts";

const PROJECT = resolve(import.meta.dirname, "..");
const REPORTER = join(import.meta.dirname, "test-reporter.ts");
/** Of what a failing file printed. */
const OUTPUT_SHOWN = 16_000;

export interface RunFilesOptions {
  /** Absolute, or relative to the project's folder. */
  readonly files: readonly string[];
  readonly concurrency: number;
  readonly timeoutMsPerFile: number;
  /**
   * Runs a file that failed once more, alone, after all others. What passes then is told of as unsteady:
   * a busy machine, a foreign engine or an emulated CPU fails now and then, a defect fails again.
   */
  readonly rerunFailed?: boolean;
  readonly onResult: (result: TestResult) => void;
}

export async function runFiles(options: RunFilesOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "tsrun-test-"));
  try {
    await runSome(options.files, { ...options, folder });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Run = RunFilesOptions & { readonly folder: string };

async function runSome(files: readonly string[], options: Run): Promise<void> {
  const queue = [...files.entries()];
  const failed: [index: number, file: string, results: readonly TestResult[]][] = [];
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [index, file] = next;
      const results = await runFile(file, String(index), options);
      if (options.rerunFailed && results.some(hasFailed)) {
        process.stderr.write(`test: ${file} failed, and will be run once more\n`);
        failed.push([index, file, results]);
      } else results.forEach(options.onResult);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, work));
  for (const [index, file, first] of failed) {
    let results = await runFile(file, `${index}-again`, options);
    // An emulated CPU makes V8 itself fail: that says nothing of the test, also the second time.
    if (results.some(hasCrashed)) results = await runFile(file, `${index}-anew`, options);
    withUnsteady(results, first).forEach(options.onResult);
  }
}

const hasCrashed = ({ error }: TestResult) => error?.startsWith("was killed by SIG") ?? false;
const hasFailed = ({ outcome }: TestResult) => outcome === "failed";

/** A file's second results, with what failed in the first: of the test of that name, else of the first test. */
function withUnsteady(second: readonly TestResult[], first: readonly TestResult[]): TestResult[] {
  const names = new Set(second.map(({ name }) => name));
  const failures = first.filter(hasFailed);
  return second.map((result, index) => {
    const unsteady = failures
      .filter(({ name }) => name === result.name || (index === 0 && !names.has(name)))
      .map(({ name, error }) => `${name}\n${error}`)
      .join("\n");
    return unsteady === "" ? result : { ...result, unsteady };
  });
}

async function runFile(file: string, id: string, options: Run): Promise<TestResult[]> {
  const report = join(options.folder, `${id}.jsonl`);
  const startedAt = performance.now();
  using view = isPrivate(file) ? new PrivateView() : undefined;
  const ended = await runCommand(
    [
      ...(view?.argv ?? []),
      ...[process.execPath, `--test-reporter=${REPORTER}`],
      ...[`--test-reporter-destination=${report}`, resolve(PROJECT, file)],
    ],
    options.timeoutMsPerFile,
  );
  const results = readResults(report);
  const failed = results.some(hasFailed);
  const whole = wholeFileFailure({ ended, failed, empty: results.length === 0 });
  if (whole !== undefined) {
    const name = "(the file as a whole)";
    const durationMs = performance.now() - startedAt;
    const path = relative(PROJECT, resolve(PROJECT, file));
    results.push({ file: path, name, outcome: "failed", durationMs, error: whole });
  }
  const last = results.findLastIndex(hasFailed);
  return results.map((result, index) =>
    index === last ? { ...result, error: `${result.error}${shown(ended.output)}` } : result,
  );
}

function isPrivate(file: string): boolean {
  return /^\/\/ @private\b/m.test(readFileSync(resolve(PROJECT, file), "utf8"));
}

/** A cgroup, and the command that runs another one in it with namespaces of its own. */
class PrivateView implements Disposable {
  readonly #cgroup: string;
  readonly argv: readonly string[];

  constructor() {
    const mountPoint = cgroup2MountPoint();
    if (mountPoint === undefined) throw new Error("cgroup v2 is not mounted");
    this.#cgroup = join(mountPoint, `tsrun-test-${process.pid}-${views++}`);
    mkdirSync(this.#cgroup);
    this.argv = [join(import.meta.dirname, "private-view.sh"), mountPoint, this.#cgroup];
  }

  [Symbol.dispose](): void {
    removeCgroups(this.#cgroup);
  }
}

let views = 0;

/** Its processes ended with their PID namespace. */
function removeCgroups(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeCgroups(join(directory, entry.name));
  }
  rmdirSync(directory);
}

interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly timedOut: boolean;
  readonly output: string;
}

function wholeFileFailure(of: {
  ended: Ended;
  failed: boolean;
  empty: boolean;
}): string | undefined {
  const { status, signal, timedOut } = of.ended;
  if (timedOut) return "did not end in time and was killed";
  if (signal !== null) return `was killed by ${signal}`;
  if (of.empty) return `holds no test (exit status ${status})`;
  if (status !== 0 && !of.failed) return `ended with exit status ${status}, though no test failed`;
  return undefined;
}

function readResults(report: string): TestResult[] {
  try {
    const lines = readFileSync(report, "utf8").split("\n");
    lines.pop(); // "" after the last newline, or a line that a crash cut off
    return lines.map((line) => JSON.parse(line) as TestResult);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []; // crashed before it began
    throw error;
  }
}

function runCommand(argv: readonly string[], timeoutMs: number): Promise<Ended> {
  const [command = "", ...args] = argv;
  return new Promise((done, failed) => {
    // Its own process group, so that a hanging file goes with what it started.
    const child = spawn(command, args, {
      cwd: PROJECT,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let timedOut = false;
    const keep = (chunk: string) => {
      output = (output + chunk).slice(-4 * OUTPUT_SHOWN);
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    const timer = setTimeout(() => {
      timedOut = true;
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    }, timeoutMs);
    child.on("error", failed);
    // "exit", not "close": a process that a test leaves behind may hold the pipes for ever.
    child.on("exit", (status, signal) => {
      clearTimeout(timer);
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
        done({ status, signal, timedOut, output });
      }, 20);
    });
  });
}

function shown(output: string): string {
  const text = output.trim();
  if (text === "") return "";
  const cut = text.length > OUTPUT_SHOWN ? "…" : "";
  return `\n--- what the file printed\n${cut}${text.slice(-OUTPUT_SHOWN)}`;
}

if (import.meta.main) {
  const [concurrency = "1", timeoutMs = "600000", ...files] = process.argv.slice(2);
  await runFiles({
    files,
    concurrency: Number(concurrency),
    timeoutMsPerFile: Number(timeoutMs),
    rerunFailed: true,
    onResult: (result) => process.stdout.write(`${JSON.stringify(result)}\n`),
  });
}
