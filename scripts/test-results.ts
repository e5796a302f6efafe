/** One test's outcome, as the reporter writes it and as it comes out of the test VM: a line of JSON. */
export interface TestResult {
  /** Relative to the project's folder. */
  readonly file: string;
  /** The names of the suites around it and its own. */
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  readonly durationMs: number;
  /** Why it was skipped. */
  readonly reason?: string;
  /** Why it failed, with its stack and all that its file printed. */
  readonly error?: string;
  /** How it failed before, when its file was run once more. */
  readonly unsteady?: string;
}
