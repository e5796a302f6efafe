/**
 * A build from beginning to end: the Containerfile is read and planned whole, then its stages are built,
 * those that do not wait for each other at once.
 */
import { closeSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { hasErrno, TsrunError } from "../base/errors.ts";
import {
  abandonedBuilds,
  completeImageName,
  type Engine,
  makeBuildDirectory,
  prepareImage,
  recordBuild,
  removeAbandonedBuild,
  removeBuildDirectory,
} from "../engine/index.ts";
import { openRoot } from "../ffi/index.ts";
import {
  EMPTY_DRAFT,
  formatPlatform,
  formatReference,
  hostPlatform,
  ImageDrafts,
  type ImageProcessConfig,
  ImageStore,
  parseReference,
  resolveImage,
  Turns,
} from "../images/index.ts";
import { digest } from "./cache-key.ts";
import type { FileTree } from "./files.ts";
import { IgnoreRules } from "./ignore.ts";
import type { Containerfile, Statement } from "./instruction.ts";
import { atLine } from "./line-error.ts";
import type { BuildOptions, BuiltImage } from "./options.ts";
import { parseContainerfile, parseTriggers } from "./parse-containerfile.ts";
import { withEnv, withLabels } from "./plan-config.ts";
import { findSource, type PlannedStage, planStages, type StagesPlan } from "./plan-stages.ts";
import { PROXY_ARGS, planSteps } from "./plan-steps.ts";
import { type Built, buildSteps, type External, type StageContext } from "./stage-builder.ts";
import type { Step } from "./step.ts";

/**
 * Builds the image and gives it its names. Throws INVALID_ARGUMENT with file and line, BUILD_FAILED (a
 * BuildFailure) for a command that fails, NOT_FOUND, UNSUPPORTED, NO_SPACE, ABORTED; nothing is left then
 * but what the cache keeps.
 */
export async function buildImage(engine: Engine, options: BuildOptions): Promise<BuiltImage> {
  const { name: file, text } = options.containerfile;
  checkPlatform(options.platform && formatPlatform(options.platform), undefined);
  const names = (options.tags ?? []).map((tag) => formatReference(parseReference(tag)));
  const containerfile = parseContainerfile(text, file);
  const buildArgs = options.buildArgs ?? {};
  const plan = planStages(containerfile, {
    ...{ file, buildArgs, builtin: BUILTIN_ARGS },
    ...(options.target === undefined ? {} : { target: options.target }),
  });
  warnOfUnusedArgs(containerfile, options);
  const { timestampMs, compression, onProgress } = options;
  // The first failure ends what the other stages are doing.
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  using drafts = await ImageDrafts.begin(new ImageStore(engine.root), {
    ...(timestampMs === undefined ? {} : { timestampMs }),
    ...(compression === undefined ? {} : { compression }),
    signal,
    warn: (message) => onProgress?.({ kind: "warning", message }),
  });
  for (const { name } of abandonedBuilds(engine)) await removeAbandonedBuild(engine, name);
  using build = new Build(engine, {
    ...{ options: { ...options, signal }, containerfile, plan, drafts },
  });
  try {
    const { draft } = await build.target();
    const fallback = build.addedTo({});
    const annotations = options.annotations ?? {};
    const image = await drafts.finish(draft, { names, annotations, fallback });
    recordBuild(engine, image);
    return { image };
  } catch (error) {
    stop.abort(error);
    await build.settled();
    throw abortError(error, options.signal);
  }
}

function abortError(error: unknown, signal: AbortSignal | undefined): unknown {
  if (!signal?.aborted || error instanceof TsrunError) return error;
  return new TsrunError("ABORTED", "the build was aborted", { cause: error });
}

const { os, architecture } = hostPlatform();
const PLATFORM = formatPlatform(hostPlatform());

/** Known to stages that say ARG NAME. docs.docker.com "Automatic platform ARGs". */
const BUILTIN_ARGS: Readonly<Record<string, string>> = {
  ...{ TARGETPLATFORM: PLATFORM, TARGETOS: os, TARGETARCH: architecture, TARGETVARIANT: "" },
  ...{ BUILDPLATFORM: PLATFORM, BUILDOS: os, BUILDARCH: architecture, BUILDVARIANT: "" },
};

function checkPlatform(
  platform: string | undefined,
  place: { readonly file: string; readonly line: number } | undefined,
): void {
  if (platform === undefined || platform === PLATFORM || platform === `${PLATFORM}/v8`) return;
  if (platform === `${PLATFORM}/v1`) return;
  const where = place ? `${place.file}:${place.line}: ` : "";
  throw new TsrunError("UNSUPPORTED", `${where}cannot build for ${platform} on this machine`, {
    hint: `It is ${PLATFORM}, and tsrun emulates no other.`,
  });
}

function warnOfUnusedArgs(
  { globals, stages }: Containerfile,
  { buildArgs = {}, onProgress }: BuildOptions,
): void {
  const statements: readonly Statement[] = [
    ...globals,
    ...stages.flatMap((stage) => stage.statements),
  ];
  const known = new Set([
    ...PROXY_ARGS,
    ...statements.flatMap(({ instruction }) =>
      instruction.keyword === "ARG" ? instruction.args.map(({ name }) => name) : [],
    ),
  ]);
  const unused = Object.keys(buildArgs).filter((name) => !known.has(name));
  if (unused.length === 0) return;
  const message = `no ARG takes the build argument ${unused.map((name) => `"${name}"`).join(", ")}`;
  onProgress?.({ kind: "warning", message });
}

interface BuildParts {
  readonly options: BuildOptions;
  readonly containerfile: Containerfile;
  readonly plan: StagesPlan;
  readonly drafts: ImageDrafts;
}

class Build implements Disposable {
  readonly #engine: Engine;
  readonly #parts: BuildParts;
  readonly #stages = new Map<number, Promise<Built>>();
  readonly #images = new Map<string, Promise<Built>>();
  readonly #turns: Turns;
  readonly #contextTree: FileTree | undefined;
  readonly #secretsDirectory: string;

  constructor(engine: Engine, parts: BuildParts) {
    const { options, drafts } = parts;
    this.#engine = engine;
    this.#parts = parts;
    this.#turns = new Turns(options.jobs ?? availableParallelism());
    this.#secretsDirectory = makeBuildDirectory(engine, basename(drafts.workDirectory));
    this.#contextTree = openContext(options);
  }

  target(): Promise<Built> {
    const { stages, target } = this.#parts.plan;
    // All at once: each waits for those that it needs.
    const all = stages.map((stage) => this.#stage(stage.index));
    return Promise.all(all).then(() => this.#stage(target));
  }

  /** Resolves when nothing is under way any more, whatever came of it. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#stages.values(), ...this.#images.values()]);
  }

  [Symbol.dispose](): void {
    if (this.#contextTree) closeSync(this.#contextTree.root);
    removeBuildDirectory(this.#engine, basename(this.#secretsDirectory));
  }

  /** The configuration with what the command line adds. */
  addedTo(config: ImageProcessConfig): ImageProcessConfig {
    const { labels = {}, env = {} } = this.#parts.options;
    const variables = Object.entries(env);
    const labelled = Object.entries(labels);
    const withVariables = variables.length === 0 ? config : withEnv(config, variables);
    return labelled.length === 0 ? withVariables : withLabels(withVariables, labelled);
  }

  #stage(index: number): Promise<Built> {
    const known = this.#stages.get(index);
    if (known !== undefined) return known;
    const stage = this.#parts.plan.stages.find((planned) => planned.index === index);
    if (!stage) throw new Error(`stage ${index} is not planned`);
    const building = this.#buildStage(stage);
    building.catch(() => {}); // whoever waits for it is told
    this.#stages.set(index, building);
    return building;
  }

  async #buildStage(stage: PlannedStage): Promise<Built> {
    const { options, containerfile, plan } = this.#parts;
    const file = options.containerfile.name;
    checkPlatform(stage.platform, { file, line: stage.from.line });
    const base = await this.#base(stage);
    const config = base.draft.document?.config ?? {};
    const steps = planSteps({
      ...{ file, escapeChar: containerfile.escapeChar, base: config },
      statements: [...parseTriggers(config.OnBuild ?? [], stage.from.line), ...stage.statements],
      ...{ globals: plan.globals, builtin: BUILTIN_ARGS, buildArgs: options.buildArgs ?? {} },
      findSource: (name) =>
        findSource(
          name,
          plan.stages.filter((one) => one.index < stage.index),
        ),
    });
    const isTarget = stage.index === plan.target;
    const all = isTarget ? this.#withAdded(stage, steps, config) : steps;
    options.onProgress?.({
      ...{ kind: "step", stage: stage.index, stages: containerfile.stages.length },
      ...{ step: 1, steps: all.length + 1, text: stage.from.text },
    });
    return buildSteps(this.#context(stage), base, all);
  }

  /** Labels and variables of the command line, as one more step at the end. */
  #withAdded(
    stage: PlannedStage,
    steps: readonly Step[],
    base: ImageProcessConfig,
  ): readonly Step[] {
    const { labels = {}, env = {} } = this.#parts.options;
    const last = steps.at(-1);
    const before = last?.config ?? base;
    const config = this.addedTo(before);
    if (config === before) return steps;
    const pairs = Object.entries({ ...env, ...labels }).map(
      ([name, value]) => `${JSON.stringify(name)}=${JSON.stringify(value)}`,
    );
    const text = `${Object.keys(labels).length > 0 ? "LABEL" : "ENV"} ${pairs.join(" ")}`;
    const added: Step = {
      line: last?.line ?? stage.from.line,
      ...{ text, createdBy: `/bin/sh -c #(nop) ${text}`, action: { kind: "configure" }, config },
    };
    return [...steps, added];
  }

  #context({ index, from, base }: PlannedStage): StageContext {
    const { options, drafts, containerfile } = this.#parts;
    return {
      ...{ engine: this.#engine, drafts, options, stage: index },
      stages: containerfile.stages.length,
      file: options.containerfile.name,
      imageName: base.kind === "image" ? base.name : (from.instruction.name ?? "scratch"),
      secretsDirectory: this.#secretsDirectory,
      label: basename(drafts.workDirectory),
      contextTree: this.#contextTree,
      builtOf: (source) => this.#builtOf(source),
      turns: this.#turns,
    };
  }

  async #base({ base, from }: PlannedStage): Promise<Built> {
    if (base.kind === "scratch") return { draft: EMPTY_DRAFT, key: digest("scratch") };
    try {
      return await this.#builtOf(base);
    } catch (error) {
      if (base.kind === "stage") throw error;
      throw atLine({ file: this.#parts.options.containerfile.name, line: from.line }, error);
    }
  }

  #builtOf(source: External): Promise<Built> {
    if (source.kind === "stage") return this.#stage(source.stage);
    const known = this.#images.get(source.name);
    if (known !== undefined) return known;
    const image = this.#image(source.name);
    image.catch(() => {}); // whoever waits for it is told
    this.#images.set(source.name, image);
    return image;
  }

  async #image(name: string): Promise<Built> {
    const { options, drafts } = this.#parts;
    const { pull = "missing", registry = {}, signal } = options;
    const ready = await prepareImage(
      this.#engine,
      { image: name },
      { policy: pull, ...registry, ...(signal ? { signal } : {}) },
    );
    const whole = ready.image ?? (await completeImageName(this.#engine, name));
    const store = new ImageStore(this.#engine.root);
    const { image, draft } = await drafts.from(() => resolveImage(store, whole));
    return { draft, key: digest(`image ${image.id}`) };
  }
}

function openContext({ context, ignore = [] }: BuildOptions): FileTree | undefined {
  if (context === undefined) return undefined;
  try {
    return { root: openRoot(context), ignore: new IgnoreRules(ignore), isContext: true };
  } catch (error) {
    if (!hasErrno(error, "ENOENT", "ENOTDIR")) throw error;
    throw new TsrunError("NOT_FOUND", `the context "${context}" is no directory`, {
      hint: "Name the directory that COPY takes its files from.",
    });
  }
}
