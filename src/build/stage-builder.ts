/**
 * One stage: its steps in order, each from the cache or done.
 */
import { closeSync } from "node:fs";
import { TsrunError } from "../base/errors.ts";
import type { Engine } from "../engine/index.ts";
import type { Draft, DraftStep, ImageDrafts, Turns } from "../images/index.ts";
import { cacheKey } from "./cache-key.ts";
import { applyCopy, type CopyInputs, readCopyInputs } from "./copy-step.ts";
import { BuildFailure } from "./failure.ts";
import { digestFiles, type FileTree, findFiles, walkFiles } from "./files.ts";
import { atLine, type LinePlace } from "./line-error.ts";
import type { BuildOptions } from "./options.ts";
import { RunMounts } from "./run-mounts.ts";
import { runStep } from "./run-step.ts";
import type { CopyAction, FileSource, RunAction, RunMount, Step } from "./step.ts";
import { openReadOnlyRoot, StepRoot } from "./step-root.ts";
import { isDirectoryIn, makeOwnedDirectories } from "./write-files.ts";

/** A stage, or a base, so far. */
export interface Built {
  readonly draft: Draft;
  /** All that it consists of. */
  readonly key: string;
}

export interface StageContext {
  readonly engine: Engine;
  readonly drafts: ImageDrafts;
  readonly options: BuildOptions;
  readonly file: string;
  /** The stage's number in the file, and how many there are. */
  readonly stage: number;
  readonly stages: number;
  readonly imageName: string;
  readonly secretsDirectory: string;
  /** Tells this build's containers from others. */
  readonly label: string;
  /** The context, opened by whoever builds; undefined where there is none. */
  readonly contextTree: FileTree | undefined;
  /** Another stage, or an image. */
  readonly builtOf: (source: External) => Promise<Built>;
  /** Steps of all stages that are done at once. */
  readonly turns: Turns;
}

/** Files that are not the context's. */
export type External = Exclude<FileSource, { kind: "context" }>;

function sourcesOf({ action }: Step): readonly External[] {
  const sources = (): readonly FileSource[] => {
    if (action.kind === "copy") return [action.from];
    if (action.kind !== "run") return [];
    return action.mounts.flatMap((mount) => (mount.type === "bind" ? [mount.from] : []));
  };
  return sources().filter((source) => source.kind !== "context");
}

export async function buildSteps(
  context: StageContext,
  base: Built,
  steps: readonly Step[],
): Promise<Built> {
  let built = base;
  // FROM is the first.
  const count = steps.length + 1;
  for (const [at, step] of steps.entries()) {
    // First what it needs, and then its turn: a step that waits holds up nobody.
    await Promise.all(sourcesOf(step).map((source) => context.builtOf(source)));
    context.options.signal?.throwIfAborted();
    const before = built;
    const builder = new StepBuilder(context, { step, number: at + 2, steps: count });
    built = await context.turns.take(() => builder.build(before));
  }
  return built;
}

/** Files that a step uses, and what they are. */
interface Inputs {
  readonly digests: readonly string[];
  readonly copy?: CopyInputs;
}

class StepBuilder {
  readonly #context: StageContext;
  readonly #step: Step;
  readonly #number: number;
  readonly #steps: number;
  readonly #trees: FileTree[] = [];

  constructor(
    context: StageContext,
    {
      step,
      number,
      steps,
    }: { readonly step: Step; readonly number: number; readonly steps: number },
  ) {
    this.#context = context;
    this.#step = step;
    this.#number = number;
    this.#steps = steps;
  }

  async build(before: Built): Promise<Built> {
    const { stage, stages, options } = this.#context;
    const { text, action, config, author, createdBy } = this.#step;
    const at = { stage, stages, step: this.#number };
    options.onProgress?.({ kind: "step", ...at, steps: this.#steps, text });
    try {
      const inputs = await this.#readInputs(action);
      const key = cacheKey({
        parent: before.key,
        ...{ action, config, inputs: inputs.digests, timestampMs: options.timestampMs },
        ...(author === undefined ? {} : { author }),
      });
      const step: DraftStep = {
        ...{ key, config, createdBy },
        ...(author === undefined ? {} : { author }),
      };
      const cached = options.noCache
        ? undefined
        : await this.#context.drafts.cached(before.draft, step);
      if (cached) options.onProgress?.({ kind: "cached", ...at });
      return { key, draft: cached ?? (await this.#do(before.draft, step, inputs)) };
    } catch (error) {
      throw atLine(this.#place, error);
    } finally {
      for (const { root } of this.#trees.splice(0)) closeSync(root);
    }
  }

  async #readInputs(action: Step["action"]): Promise<Inputs> {
    if (action.kind === "copy") {
      const { drafts, options } = this.#context;
      const tree = await this.#copyTree(action);
      const copy = await readCopyInputs(action, tree, { drafts, signal: options.signal });
      return { digests: [copy.digest], copy };
    }
    if (action.kind !== "run") return { digests: [] };
    const digests: string[] = [];
    for (const mount of action.mounts) digests.push(await this.#digestMount(mount));
    return { digests };
  }

  /** An ADD of nothing but URLs and here-documents needs no context. */
  async #copyTree(action: CopyAction): Promise<FileTree> {
    const needsNone = action.sources.every((source) => action.isAdd && /^https?:/.test(source));
    if (action.from.kind === "context" && needsNone && !this.#context.contextTree) {
      return { root: -1, isContext: true };
    }
    return this.#treeOf(action.from);
  }

  /** What a mount shows is part of what a RUN does; what is kept or secret is not. */
  async #digestMount(mount: RunMount): Promise<string> {
    if (mount.type !== "bind") return "";
    if (mount.from.kind !== "context") return (await this.#context.builtOf(mount.from)).key;
    const tree = await this.#treeOf(mount.from);
    const digests: string[] = [];
    for (const file of findFiles(tree, mount.source)) {
      digests.push(await digestFiles(walkFiles(tree, file, "x")));
    }
    return digests.join();
  }

  readonly #treeOf = async (from: FileSource): Promise<FileTree> => {
    if (from.kind === "context") {
      const { contextTree } = this.#context;
      if (contextTree) return contextTree;
      throw new TsrunError("INVALID_ARGUMENT", "the build has no context to take files from", {
        hint: "Name a directory as the last argument.",
      });
    }
    const { draft } = await this.#context.builtOf(from);
    const tree = { root: openReadOnlyRoot(this.#context.drafts, draft), isContext: false };
    this.#trees.push(tree);
    return tree;
  };

  async #do(draft: Draft, step: DraftStep, { copy }: Inputs): Promise<Draft> {
    const { action } = this.#step;
    switch (action.kind) {
      case "configure":
        return this.#context.drafts.extend(draft, step);
      case "workdir":
        return this.#makeWorkdir(draft, step, action.path);
      case "copy":
        if (!copy) throw new Error("a copy without its files");
        return this.#copy(draft, step, { action, inputs: copy });
      case "run":
        return this.#run(draft, step, action);
    }
  }

  async #makeWorkdir(draft: Draft, step: DraftStep, path: string): Promise<Draft> {
    const { drafts } = this.#context;
    using root = new StepRoot(drafts, draft);
    const made =
      !isDirectoryIn(root.fd, path) && makeOwnedDirectories(root.fd, path, { uid: 0, gid: 0 });
    root.close();
    return await drafts.extend(draft, step, made ? { path: root.upper, isOurs: true } : undefined);
  }

  async #copy(
    draft: Draft,
    step: DraftStep,
    { action, inputs }: { readonly action: CopyAction; readonly inputs: CopyInputs },
  ): Promise<Draft> {
    const { drafts } = this.#context;
    using root = new StepRoot(drafts, draft);
    await applyCopy(root.fd, action, inputs);
    root.close();
    return await drafts.extend(draft, step, { path: root.upper, isOurs: true });
  }

  async #run(draft: Draft, step: DraftStep, action: RunAction): Promise<Draft> {
    const { engine, drafts, options, imageName, label, secretsDirectory } = this.#context;
    using mounts = new RunMounts({
      ...{ engine, drafts, secretsDirectory, treeOf: this.#treeOf },
      ...{ secrets: options.secrets ?? {}, signal: options.signal },
    });
    for (const mount of action.mounts) await mounts.add(mount);
    if (action.script) mounts.addScript(action.script);
    const { stage, stages } = this.#context;
    const at = { stage, stages, step: this.#number };
    let after: Draft | undefined;
    const exit = await runStep(
      {
        ...{ engine, drafts, options, imageName, label },
        onOutput: (stream, chunk) => options.onProgress?.({ kind: "output", ...at, stream, chunk }),
      },
      action,
      {
        ...{ draft, mounts },
        keep: async (upper) => {
          after = await drafts.extend(draft, step, { path: upper, isOurs: false });
        },
      },
    );
    if (after) return after;
    throw new BuildFailure(this.#place, this.#step.text, exit);
  }

  get #place(): LinePlace {
    return { file: this.#context.file, line: this.#step.line };
  }
}
