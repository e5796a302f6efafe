import { TsrunError } from "../base/errors.ts";
import { viewContainer, viewIfThere } from "./container.ts";
import type { Engine } from "./engine.ts";
import type { ContainerView } from "./records.ts";
import { resolveContainer } from "./resolve.ts";
import { listContainerIds } from "./store/config.ts";

export interface ListOptions {
  /** Also what does not run. */
  readonly all?: boolean;
  readonly filters?: ListFilters;
}

/** Of each key, one of the values has to fit; every key has to. */
export interface ListFilters {
  /** A part of the name. */
  readonly name?: readonly string[];
  /** A beginning of the id. */
  readonly id?: readonly string[];
  readonly status?: readonly string[];
  /** "key" or "key=value". */
  readonly label?: readonly string[];
  /** The image's reference, or a beginning of its id. */
  readonly ancestor?: readonly string[];
  /** Exit codes as text. */
  readonly exited?: readonly string[];
}

/** The containers, newest first. One whose record is damaged is told of and left out. */
export async function listContainers(
  engine: Engine,
  { all = false, filters = {} }: ListOptions = {},
): Promise<ContainerView[]> {
  const views: ContainerView[] = [];
  for (const id of listContainerIds(engine)) {
    try {
      const view = await viewIfThere(engine, id);
      if (view && (all || isAlive(view)) && fits(view, filters)) views.push(view);
    } catch (error) {
      if (!(error instanceof TsrunError)) throw error;
      engine.warn(error.message);
    }
  }
  return views.sort((a, b) => compare(b.config.createdAt, a.config.createdAt));
}

/** Throws NOT_FOUND, AMBIGUOUS_NAME. */
export async function inspectContainer(engine: Engine, ref: string): Promise<ContainerView> {
  return viewContainer(engine, resolveContainer(engine, ref));
}

function isAlive({ status }: ContainerView): boolean {
  return status === "running" || status === "paused" || status === "starting";
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

type Test = (view: ContainerView, value: string) => boolean;

const TESTS: Readonly<Record<keyof ListFilters, Test>> = {
  name: ({ config }, value) => config.name.includes(value),
  id: ({ config }, value) => config.id.startsWith(value),
  status: ({ status }, value) => status === value,
  label: ({ config }, value) => hasLabel(config.request.labels ?? {}, value),
  ancestor: ({ config }, value) =>
    config.image !== undefined &&
    (config.image.reference === value || config.image.id.startsWith(value)),
  exited: ({ status, exit }, value) => status === "exited" && String(exit?.exitCode) === value,
};

function fits(view: ContainerView, filters: ListFilters): boolean {
  return (Object.keys(TESTS) as (keyof ListFilters)[]).every((key) => {
    const values = filters[key];
    return values === undefined || values.some((value) => TESTS[key](view, value));
  });
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  if (equals < 0) return wanted in labels;
  return labels[wanted.slice(0, equals)] === wanted.slice(equals + 1);
}
