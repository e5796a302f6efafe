/**
 * config.json, which anybody may have written, as an OciSpec. Types and ranges are judged here, each
 * with its JSON path; what fields mean together, and whether this machine can do it, is judged by the
 * folders that plan them.
 */
import { posix } from "node:path";
import { TsrunError } from "../base/errors.ts";
import {
  absolutePath,
  flag,
  integer,
  list,
  map,
  nonEmpty,
  object,
  optionalText,
  parseJson,
  type Reader,
  shown,
  text,
  wrong,
} from "./json.ts";
import type { OciHooks, OciProcess, OciResources, OciSpec } from "./oci.ts";
import { readLinux } from "./parse-linux.ts";
import { readMounts } from "./parse-mounts.ts";
import { readProcess } from "./parse-process.ts";
import { readResources } from "./parse-resources.ts";

/** What was read, and sentences about what it has that means nothing to tsrun. */
export interface Parsed<T> {
  readonly value: T;
  readonly warnings: readonly string[];
}

/**
 * `bundle` is the absolute directory that relative paths of the specification begin in.
 * Throws INVALID_SPEC, or UNSUPPORTED for other platforms' containers, naming the field.
 */
export function parseSpec(json: string, { bundle }: { readonly bundle: string }): Parsed<OciSpec> {
  return parsed(json, "config.json", (value, at, warn) => {
    const { root, linux = { namespaces: [] }, mounts = [], ...rest } = fields(value, at, warn);
    return {
      ociVersion: rest.ociVersion,
      process: rest.process,
      root: { ...root, path: posix.resolve(bundle, root.path) },
      ...(rest.hostname === undefined ? {} : { hostname: rest.hostname }),
      ...(rest.domainname === undefined ? {} : { domainname: rest.domainname }),
      mounts: mounts.length === 0 ? [] : readMounts(bundle)(mounts, "mounts", warn),
      ...(rest.hooks === undefined ? {} : { hooks: rest.hooks }),
      ...(rest.annotations === undefined ? {} : { annotations: rest.annotations }),
      linux,
    };
  });
}

/** The process of `exec --process`. Throws INVALID_SPEC. */
export function parseProcess(json: string): Parsed<OciProcess> {
  return parsed(json, "the process", (value, _at, warn) => readProcess(value, "process", warn));
}

/** The limits of `update --resources`. Throws INVALID_SPEC. */
export function parseResources(json: string): Parsed<OciResources> {
  return parsed(json, "the resources", (value, _at, warn) =>
    readResources(value, "linux.resources", warn),
  );
}

function parsed<T>(json: string, name: string, reader: Reader<T>): Parsed<T> {
  const warnings: string[] = [];
  const value = reader(parseJson(json, name), "", (sentence) => warnings.push(sentence));
  return { value, warnings };
}

/** semver.org 2.0.0. */
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;

const version: Reader<string> = (value, at, warn) => {
  const found = text(value, at, warn);
  const major = SEMVER.exec(found)?.[1];
  if (major === undefined) throw wrong(at, `must be a version like "1.2.0", not ${shown(found)}`);
  if (major === "1") return found;
  throw new TsrunError("UNSUPPORTED", `${at} is ${shown(found)}, and tsrun knows 1.x`, {
    origin: at,
    hint: "Write the bundle for version 1 of OCI's runtime specification.",
  });
};

const hook = object(
  { path: absolutePath },
  { args: list(text), env: list(text), timeout: integer(1, 2 ** 31 - 1) },
);
const hooks: Reader<OciHooks> = object(
  {},
  {
    prestart: list(hook),
    createRuntime: list(hook),
    createContainer: list(hook),
    startContainer: list(hook),
    poststart: list(hook),
    poststop: list(hook),
  },
);

function otherPlatform(_value: unknown, at: string): never {
  throw new TsrunError("UNSUPPORTED", `${at} describes a container for another platform`, {
    origin: at,
    hint: "Leave it out: this is a runtime for Linux.",
  });
}

const fields = object(
  {
    ociVersion: version,
    process: readProcess,
    root: object({ path: nonEmpty }, { readonly: flag }),
  },
  {
    hostname: optionalText,
    domainname: optionalText,
    mounts: list((value) => value), // read with the bundle's path
    hooks,
    annotations: map(text, nonEmpty),
    linux: readLinux,
    windows: otherPlatform,
    solaris: otherPlatform,
    vm: otherPlatform,
    zos: otherPlatform,
    freebsd: otherPlatform,
  },
);
