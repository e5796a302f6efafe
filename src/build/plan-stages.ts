/**
 * Which stages a build needs, and which of them wait for which.
 */

import { TsrunError } from "../base/errors.ts";
import { ExpandError, expandWord, type Lookup } from "./expand.ts";
import type { Containerfile, Flags, StageText, Statement } from "./instruction.ts";
import { invalidLine } from "./line-error.ts";
import { own } from "./own.ts";

/** What a stage, or files in it, come from. */
export type Source =
  | { readonly kind: "stage"; readonly stage: number }
  | { readonly kind: "image"; readonly name: string }
  | { readonly kind: "scratch" };

export interface PlannedStage {
  readonly index: number;
  readonly name: string | undefined;
  readonly base: Source;
  readonly from: StageText["from"];
  readonly statements: readonly Statement[];
  readonly platform: string | undefined;
  /** Stages that must be done before some of its instructions. */
  readonly needs: readonly number[];
}

export interface StagesPlan {
  readonly target: number;
  /** The needed ones, in the file's order: each needs only earlier ones. */
  readonly stages: readonly PlannedStage[];
  /** What FROM lines know: global ARGs with their values. */
  readonly globals: ReadonlyMap<string, string>;
}

export interface StagesRequest {
  readonly file: string;
  readonly buildArgs: Readonly<Record<string, string>>;
  /** TARGETARCH and the like. */
  readonly builtin: Readonly<Record<string, string>>;
  /** --target: a name or a number; the last stage without it. */
  readonly target?: string;
}

/** Throws INVALID_ARGUMENT, naming the line. */
export function planStages(containerfile: Containerfile, request: StagesRequest): StagesPlan {
  const globals = resolveGlobals(containerfile, request);
  const builtin = new Map(Object.entries(request.builtin));
  const lookup: Lookup = (name) => globals.get(name) ?? builtin.get(name);
  const planned: PlannedStage[] = [];
  for (const text of containerfile.stages) {
    planned.push(planStage(text, { planned, lookup, containerfile, request }));
  }
  const target = findTarget(planned, request.target);
  return { target, stages: neededStages(planned, target), globals };
}

function resolveGlobals(
  { globals, escapeChar }: Containerfile,
  { buildArgs, builtin, file }: StagesRequest,
): ReadonlyMap<string, string> {
  const known = new Map<string, string>();
  for (const { line, instruction } of globals) {
    for (const { name, value } of instruction.args) {
      const lookup: Lookup = (wanted) => known.get(wanted) ?? own(builtin, wanted);
      const fallback =
        value === undefined
          ? own(builtin, name)
          : expandAt({ file, line }, value, lookup, escapeChar);
      const resolved = own(buildArgs, name) ?? fallback;
      if (resolved !== undefined) known.set(name, resolved);
    }
  }
  return known;
}

/** A variable's mistake is told with its line. */
export function expandAt(
  place: { readonly file: string; readonly line: number },
  text: string,
  lookup: Lookup,
  escapeChar: string,
): string {
  try {
    return expandWord(text, lookup, { escapeChar });
  } catch (error) {
    if (error instanceof ExpandError) throw invalidLine(place, error.message);
    throw error;
  }
}

function planStage(
  { from, statements }: StageText,
  {
    planned,
    lookup,
    containerfile,
    request,
  }: {
    readonly planned: readonly PlannedStage[];
    readonly lookup: Lookup;
    readonly containerfile: Containerfile;
    readonly request: StagesRequest;
  },
): PlannedStage {
  const place = { file: request.file, line: from.line };
  const { name, platform, image } = from.instruction;
  const expand = (text: string) => expandAt(place, text, lookup, containerfile.escapeChar);
  const expanded = expand(image);
  if (expanded === "") {
    const hint = "Give its variable a default: ARG NAME=VALUE before FROM.";
    throw invalidLine(place, `FROM "${image}" names no image`, hint);
  }
  const base =
    expanded === "scratch" ? ({ kind: "scratch" } as const) : findSource(expanded, planned);
  const sources = statements.flatMap(sourceNames).map((source) => findSource(source, planned));
  const needed = [base, ...sources].flatMap((source) =>
    source.kind === "stage" ? [source.stage] : [],
  );
  return {
    index: planned.length,
    ...{ name, base, from, statements },
    platform: platform === undefined ? undefined : expand(platform),
    needs: [...new Set(needed)],
  };
}

/** A stage before this one, by name or number, or else an image. */
export function findSource(text: string, stages: readonly PlannedStage[]): Source {
  const stage = findStage(text, stages);
  return stage ? { kind: "stage", stage: stage.index } : { kind: "image", name: text };
}

function findStage(text: string, stages: readonly PlannedStage[]): PlannedStage | undefined {
  const named = stages.find(({ name }) => name?.toLowerCase() === text.toLowerCase());
  return named ?? stages.find(({ index }) => String(index) === text);
}

/** Where COPY --from and RUN --mount take files from. Variables cannot stand in them. */
function sourceNames({ instruction }: Statement): readonly string[] {
  if (instruction.keyword === "COPY" || instruction.keyword === "ADD") {
    return flagValues(instruction.flags, "from");
  }
  if (instruction.keyword !== "RUN") return [];
  return flagValues(instruction.flags, "mount").flatMap(
    (mount) => /(?:^|,)from=([^,]*)/.exec(mount)?.[1] ?? [],
  );
}

export function flagValues(flags: Flags, wanted: string): readonly string[] {
  return flags.flatMap(({ name, value }) => (name === wanted ? [value] : []));
}

function findTarget(stages: readonly PlannedStage[], target: string | undefined): number {
  if (target === undefined) return stages.length - 1;
  const found = findStage(target, stages);
  if (found) return found.index;
  const names = stages.map(({ name, index }) => name ?? String(index));
  throw new TsrunError("INVALID_ARGUMENT", `there is no stage "${target}"`, {
    hint: `The Containerfile has ${names.join(", ")}.`,
  });
}

function neededStages(stages: readonly PlannedStage[], target: number): readonly PlannedStage[] {
  const needed = new Set([target]);
  for (const { index, needs } of stages.toReversed()) {
    if (needed.has(index)) for (const other of needs) needed.add(other);
  }
  return stages.filter(({ index }) => needed.has(index));
}
