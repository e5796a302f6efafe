/**
 * What a build tells while it goes on: podman's lines, on stderr, so that stdout has the id alone.
 */
import { StringDecoder } from "node:string_decoder";
import type { BuildProgress } from "../build/index.ts";
import { printError } from "./output.ts";

type Output = Extract<BuildProgress, { kind: "output" }>;

/** Enough for a compiler's last words. */
const KEPT_CHARACTERS = 64 * 1024;

export class BuildProgressView {
  readonly #quiet: boolean;
  readonly #warn: (message: string) => void;
  /** Of stages that write at the same time, each line is kept whole. */
  readonly #lines = new Map<string, { readonly decoder: StringDecoder; rest: string }>();

  /** Of a quiet build: the end of what each stage's step has written. */
  readonly #kept = new Map<number, string>();

  constructor({
    quiet,
    warn,
  }: {
    readonly quiet: boolean;
    readonly warn: (message: string) => void;
  }) {
    this.#quiet = quiet;
    this.#warn = warn;
  }

  readonly tell = (progress: BuildProgress): void => {
    if (progress.kind === "warning") this.#warn(progress.message);
    else if (this.#quiet) this.#keep(progress);
    else this.#show(progress);
  };

  /** What the commands that were under way have written, if nobody has seen it yet. */
  failed(): void {
    this.end();
    for (const text of this.#kept.values()) if (text !== "") printError(text.replace(/\n$/, ""));
  }

  /** What stands in a line that has no end yet. */
  end(): void {
    for (const { rest } of this.#lines.values()) if (rest !== "") printError(rest);
    this.#lines.clear();
  }

  #keep(progress: Exclude<BuildProgress, { kind: "warning" }>): void {
    const before = this.#kept.get(progress.stage) ?? "";
    if (progress.kind !== "output") this.#kept.set(progress.stage, "");
    else {
      const text = before + Buffer.from(progress.chunk).toString();
      this.#kept.set(progress.stage, text.slice(-KEPT_CHARACTERS));
    }
  }

  #show(progress: Exclude<BuildProgress, { kind: "warning" }>): void {
    if (progress.kind === "output") {
      this.#output(progress);
      return;
    }
    const { stage, stages, step } = progress;
    const place = stages > 1 ? `[${stage + 1}/${stages}] ` : "";
    if (progress.kind === "cached") printError(`${place}--> Using cache`);
    else printError(`${place}STEP ${step}/${progress.steps}: ${progress.text}`);
  }

  #output({ stage, stages, stream, chunk }: Output): void {
    const key = `${stage} ${stream}`;
    const known = this.#lines.get(key) ?? { decoder: new StringDecoder(), rest: "" };
    this.#lines.set(key, known);
    const lines = `${known.rest}${known.decoder.write(Buffer.from(chunk))}`.split("\n");
    known.rest = lines.pop() ?? "";
    const place = stages > 1 ? `[${stage + 1}/${stages}] ` : "";
    for (const line of lines) printError(`${place}${line}`);
  }
}
