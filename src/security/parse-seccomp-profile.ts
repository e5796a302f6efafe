/**
 * `--security-opt seccomp=FILE`: a profile in the JSON of containers/common and Docker, of which OCI's own
 * linux.seccomp section is a part. Every complaint names the JSON path.
 */
import { TsrunError } from "../base/errors.ts";
import type { OciSyscallArg } from "../spec/index.ts";
import type { RuleCondition, SeccompProfile, SeccompProfileRule } from "./seccomp-profile.ts";

export interface ProfileVocabulary {
  /** SCMP_ACT_* and SCMP_CMP_* that may be written. */
  readonly actions: readonly string[];
  readonly operators: readonly string[];
  /** The number of "EPERM" and so on. */
  readonly errnoNumber: (name: string) => number | undefined;
}

/** `path` is for the errors. Throws INVALID_SPEC. */
export function parseSeccompProfile(
  text: string,
  path: string,
  vocabulary: ProfileVocabulary,
): SeccompProfile {
  const reader = new Reader(path, vocabulary);
  const root = reader.object(parseJson(text, path), "$");
  if (isSet(root["architectures"]) && isSet(root["archMap"])) {
    throw reader.wrong("$", 'has both "architectures" and "archMap"');
  }
  const syscalls = reader.array(root["syscalls"] ?? [], "$.syscalls");
  return {
    defaultAction: reader.oneOf(root["defaultAction"], "$.defaultAction", vocabulary.actions),
    ...present("defaultErrnoRet", reader.errnoOf(root, "$", "defaultErrno", "defaultErrnoRet")),
    ...present("architectures", reader.optionalStrings(root["architectures"], "$.architectures")),
    ...present("archMap", archMap(root["archMap"], reader)),
    ...present("flags", reader.optionalStrings(root["flags"], "$.flags")),
    ...present("listenerPath", reader.optionalString(root["listenerPath"], "$.listenerPath")),
    ...present(
      "listenerMetadata",
      reader.optionalString(root["listenerMetadata"], "$.listenerMetadata"),
    ),
    syscalls: syscalls.map((rule, index) => parseRule(rule, `$.syscalls[${index}]`, reader)),
  };
}

/** Numbers beyond 2^53 (masks) become bigints: the reviver sees the source text since ECMAScript 2025. */
function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text, ((_key: string, value: unknown, context?: { source?: string }) => {
      const source = context?.source;
      const isLarge = typeof value === "number" && !Number.isSafeInteger(value);
      return isLarge && source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
    }) as (key: string, value: unknown) => unknown);
  } catch (cause) {
    throw new TsrunError("INVALID_SPEC", `the seccomp profile "${path}" is not JSON`, {
      hint: (cause as Error).message,
      cause,
    });
  }
}

function archMap(value: unknown, reader: Reader): SeccompProfile["archMap"] {
  if (!isSet(value)) return undefined;
  return reader.array(value, "$.archMap").map((item, index) => {
    const at = `$.archMap[${index}]`;
    const entry = reader.object(item, at);
    return {
      architecture: reader.string(entry["architecture"], `${at}.architecture`),
      subArchitectures:
        reader.optionalStrings(entry["subArchitectures"], `${at}.subArchitectures`) ?? [],
    };
  });
}

function parseRule(value: unknown, at: string, reader: Reader): SeccompProfileRule {
  const rule = reader.object(value, at);
  const args = isSet(rule["args"]) ? reader.array(rule["args"], `${at}.args`) : [];
  return {
    names: ruleNames(rule, at, reader),
    action: reader.oneOf(rule["action"], `${at}.action`, reader.vocabulary.actions),
    ...present("errnoRet", reader.errnoOf(rule, at, "errno", "errnoRet")),
    args: args.map((arg, index) => parseArg(arg, `${at}.args[${index}]`, reader)),
    ...present("comment", reader.optionalString(rule["comment"], `${at}.comment`)),
    ...present("includes", condition(rule["includes"], `${at}.includes`, reader)),
    ...present("excludes", condition(rule["excludes"], `${at}.excludes`, reader)),
  };
}

/** "names", or the old "name" for one. */
function ruleNames(
  rule: Readonly<Record<string, unknown>>,
  at: string,
  reader: Reader,
): readonly string[] {
  const name = reader.optionalString(rule["name"], `${at}.name`);
  const names = reader.optionalStrings(rule["names"], `${at}.names`) ?? [];
  const all = name === undefined || name === "" ? names : [name, ...names];
  if (all.length === 0) throw reader.wrong(`${at}.names`, "must name at least one system call");
  return all;
}

function parseArg(value: unknown, at: string, reader: Reader): OciSyscallArg {
  const arg = reader.object(value, at);
  return {
    index: reader.unsigned(arg["index"], `${at}.index`, 5),
    value: reader.uint64(arg["value"] ?? 0, `${at}.value`),
    ...(isSet(arg["valueTwo"])
      ? { valueTwo: reader.uint64(arg["valueTwo"], `${at}.valueTwo`) }
      : {}),
    op: reader.oneOf(arg["op"], `${at}.op`, reader.vocabulary.operators),
  };
}

function condition(value: unknown, at: string, reader: Reader): RuleCondition | undefined {
  if (!isSet(value)) return undefined;
  const fields = reader.object(value, at);
  const minKernel = reader.optionalString(fields["minKernel"], `${at}.minKernel`);
  if (minKernel !== undefined && !/^\d+\.\d+$/.test(minKernel)) {
    throw reader.wrong(`${at}.minKernel`, 'must be "MAJOR.MINOR"');
  }
  return {
    ...present("caps", reader.optionalStrings(fields["caps"], `${at}.caps`)),
    ...present("arches", reader.optionalStrings(fields["arches"], `${at}.arches`)),
    ...present("minKernel", minKernel),
  };
}

const MAX_ERRNO = 4095;

/** Reads values of one file, and says where one is not what it should be. */
class Reader {
  readonly path: string;
  readonly vocabulary: ProfileVocabulary;

  constructor(path: string, vocabulary: ProfileVocabulary) {
    this.path = path;
    this.vocabulary = vocabulary;
  }

  wrong(at: string, sentence: string): TsrunError {
    return new TsrunError(
      "INVALID_SPEC",
      `in the seccomp profile "${this.path}", ${at} ${sentence}`,
      { hint: "The format is that of containers/common's and Docker's seccomp.json.", origin: at },
    );
  }

  object(value: unknown, at: string): Readonly<Record<string, unknown>> {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Readonly<Record<string, unknown>>;
    }
    throw this.wrong(at, "must be an object");
  }

  array(value: unknown, at: string): readonly unknown[] {
    if (Array.isArray(value)) return value;
    throw this.wrong(at, "must be an array");
  }

  string(value: unknown, at: string): string {
    if (typeof value === "string") return value;
    throw this.wrong(at, "must be a string");
  }

  optionalString(value: unknown, at: string): string | undefined {
    return isSet(value) ? this.string(value, at) : undefined;
  }

  optionalStrings(value: unknown, at: string): readonly string[] | undefined {
    if (!isSet(value)) return undefined;
    return this.array(value, at).map((item, index) => this.string(item, `${at}[${index}]`));
  }

  oneOf(value: unknown, at: string, allowed: readonly string[]): string {
    const text = this.string(value, at);
    if (allowed.includes(text)) return text;
    throw this.wrong(at, `is "${text}", which is none of ${allowed.join(", ")}`);
  }

  unsigned(value: unknown, at: string, max: number): number {
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max) {
      return value;
    }
    throw this.wrong(at, `must be a whole number from 0 to ${max}`);
  }

  uint64(value: unknown, at: string): number | bigint {
    const isWhole = typeof value === "bigint" || Number.isSafeInteger(value);
    if (isWhole) {
      const number = value as number | bigint;
      if (number >= 0 && number < 2n ** 64n) return number;
    }
    throw this.wrong(at, "must be a whole number of at most 64 bits");
  }

  /** An errno by name in one field or by number in the other; both may be there if they agree. */
  errnoOf(
    fields: Readonly<Record<string, unknown>>,
    at: string,
    nameField: string,
    numberField: string,
  ): number | undefined {
    const number = isSet(fields[numberField])
      ? this.unsigned(fields[numberField], `${at}.${numberField}`, MAX_ERRNO)
      : undefined;
    const name = this.optionalString(fields[nameField], `${at}.${nameField}`);
    if (name === undefined || name === "") return number;
    const named = this.vocabulary.errnoNumber(name);
    if (named === undefined)
      throw this.wrong(`${at}.${nameField}`, `is "${name}", which is no errno`);
    if (number !== undefined && number !== named) {
      throw this.wrong(
        `${at}.${nameField}`,
        `is "${name}" (${named}), but ${numberField} is ${number}`,
      );
    }
    return named;
  }
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function present<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}
