/**
 * How far an image has come or gone: bars on a terminal, else a line when a blob is done. On stderr, so
 * that stdout has the result alone.
 */
import type { MultiBar, SingleBar } from "cli-progress";
import type { ImageProgress } from "../images/index.ts";
import { humanSize } from "./format/human.ts";
import { printError } from "./output.ts";

const REDRAWS_PER_SECOND = 10;

export class ImageProgressView implements Disposable {
  readonly #quiet: boolean;
  readonly #verb: string;
  readonly #bars = new Map<string, SingleBar>();
  readonly #last = new Map<string, ImageProgress>();
  readonly #ended = new Set<string>();
  #multi: MultiBar | undefined;
  #loading: Promise<void> | undefined;
  #isOver: boolean = false;

  constructor({ quiet, verb = "Copying" }: { readonly quiet: boolean; readonly verb?: string }) {
    this.#quiet = quiet;
    this.#verb = verb;
  }

  /** A place that is tried. */
  readonly source = (name: string): void => {
    if (!this.#quiet) printError(`Trying to pull ${name}...`);
  };

  readonly blob = (progress: ImageProgress): void => {
    if (this.#quiet || this.#isOver) return;
    this.#last.set(progress.digest, progress);
    if (process.stderr.isTTY) this.#draw();
    else this.#tell(progress);
  };

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#multi?.stop();
  }

  #tell({ digest, what, state }: ImageProgress): void {
    if (state !== "done" && state !== "exists") return;
    if (this.#ended.has(digest)) return;
    this.#ended.add(digest);
    const end = state === "done" ? "done" : "already there";
    printError(`${this.#verb} ${nounOf(what)} ${shortDigest(digest)} ${end}`);
  }

  /** The library takes longer to load than an image that is there already takes to be found. */
  #draw(): void {
    if (!this.#multi) {
      this.#loading ??= this.#load();
      return;
    }
    for (const [digest, progress] of this.#last) this.#drawBar(this.#multi, digest, progress);
  }

  async #load(): Promise<void> {
    const { default: progress } = await import("cli-progress");
    if (this.#isOver) return;
    this.#multi = new progress.MultiBar(
      {
        format: "{title} [{bar}] {percentage}% {size}{end}",
        fps: REDRAWS_PER_SECOND,
        hideCursor: true,
        stream: process.stderr,
        barsize: 24,
        emptyOnZero: true,
      },
      progress.Presets.shades_grey,
    );
    this.#draw();
  }

  #drawBar(multi: MultiBar, digest: string, progress: ImageProgress): void {
    const { what, state, bytes, total } = progress;
    const ended = state === "done" || state === "exists";
    const payload = {
      title: `${this.#verb} ${nounOf(what)} ${shortDigest(digest)}`,
      size: humanSize(total, " "),
      end: ended ? (state === "done" ? " done" : " already there") : "",
    };
    const shown = ended ? total : bytes;
    const bar = this.#bars.get(digest);
    if (bar) bar.update(shown, payload);
    else this.#bars.set(digest, multi.create(Math.max(total, 1), shown, payload));
  }
}

function nounOf(what: ImageProgress["what"]): string {
  return what === "layer" ? "blob" : what;
}

function shortDigest(digest: string): string {
  return digest.slice("sha256:".length, "sha256:".length + 12);
}
