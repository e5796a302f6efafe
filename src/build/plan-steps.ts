/**
 * A stage's instructions as steps: variables are put in, and the configuration after each is known.
 */

import { posix } from "node:path";
import type { ImageProcessConfig } from "../images/index.ts";
import { ExpandError, expandWord, expandWords, type Lookup } from "./expand.ts";
import type {
  Arg,
  Copy,
  Healthcheck,
  Instruction,
  OneWord,
  Pairs,
  Run,
  Statement,
  Words,
} from "./instruction.ts";
import { invalidLine } from "./line-error.ts";
import { own } from "./own.ts";
import { parseRunMount } from "./parse-mount.ts";
import {
  commandArgs,
  composeHealthcheck,
  envOf,
  parsePorts,
  pathInImage,
  withEnv,
  withLabels,
  withPorts,
  withVolumes,
  workdirOf,
} from "./plan-config.ts";
import { flagValues, type Source } from "./plan-stages.ts";
import {
  type Action,
  type CopyAction,
  type FileSource,
  type RunAction,
  type Step,
  scriptPath,
} from "./step.ts";

export interface StepsRequest {
  readonly file: string;
  readonly escapeChar: string;
  /** The base image's triggers first, then the stage's own. */
  readonly statements: readonly Statement[];
  readonly base: ImageProcessConfig;
  /** Global ARGs with their values. */
  readonly globals: ReadonlyMap<string, string>;
  readonly builtin: Readonly<Record<string, string>>;
  readonly buildArgs: Readonly<Record<string, string>>;
  /** What a name in --from stands for: an earlier stage, or an image. */
  readonly findSource: (name: string) => Source;
}

/** Throws INVALID_ARGUMENT, UNSUPPORTED, naming the line. */
export function planSteps(request: StepsRequest): readonly Step[] {
  const planner = new StepPlanner(request);
  return request.statements.map((statement) => planner.plan(statement));
}

/** Known without ARG, and no reason to run anything again. docs.docker.com "Predefined ARGs". */
export const PROXY_ARGS: readonly string[] = ["HTTP", "HTTPS", "FTP", "NO", "ALL"].flatMap(
  (kind) => [`${kind}_PROXY`, `${kind}_PROXY`.toLowerCase()],
);

class StepPlanner {
  readonly #request: StepsRequest;
  readonly #args = new Map<string, string>();
  #config: ImageProcessConfig;
  #author: string | undefined;
  /** A base's Cmd does not outlive an ENTRYPOINT of this stage; its own CMD does. */
  #hasOwnCmd: boolean = false;
  /** Of the statement that is being planned. */
  #line = 0;

  constructor(request: StepsRequest) {
    this.#request = request;
    const { OnBuild: _, ...config } = request.base;
    this.#config = config;
  }

  plan({ line, text, instruction }: Statement): Step {
    this.#line = line;
    const action = this.#action(instruction);
    return {
      ...{ line, text, action },
      createdBy: createdBy(text, action, this.#args),
      config: this.#config,
      ...(this.#author === undefined ? {} : { author: this.#author }),
    };
  }

  #action(instruction: Instruction): Action {
    switch (instruction.keyword) {
      case "RUN":
        return this.#run(instruction);
      case "COPY":
      case "ADD":
        return this.#copy(instruction);
      case "WORKDIR":
        return this.#workdir(instruction);
      case "FROM":
        throw new Error("FROM begins a stage");
      default:
        this.#configure(instruction);
        return { kind: "configure" };
    }
  }

  #configure(instruction: Exclude<Instruction, Run | Copy | { keyword: "FROM" }>): void {
    const config = this.#config;
    switch (instruction.keyword) {
      case "ARG":
        this.#declare(instruction);
        return;
      case "ENV":
        this.#config = withEnv(config, this.#pairs(instruction));
        return;
      case "LABEL":
        this.#config = withLabels(config, this.#pairs(instruction));
        return;
      case "USER":
      case "STOPSIGNAL":
      case "WORKDIR":
        this.#config = { ...config, ...this.#oneWord(instruction) };
        return;
      case "EXPOSE":
        this.#config = withPorts(config, this.#ports(instruction));
        return;
      case "VOLUME":
        this.#config = withVolumes(config, this.#words(instruction));
        return;
      case "CMD":
        this.#hasOwnCmd = true;
        this.#config = { ...config, Cmd: commandArgs(instruction.command, config) };
        return;
      case "ENTRYPOINT":
        this.#entrypoint(commandArgs(instruction.command, config));
        return;
      case "SHELL":
        this.#config = { ...config, Shell: instruction.args };
        return;
      case "HEALTHCHECK":
        this.#config = { ...config, Healthcheck: this.#healthcheck(instruction) };
        return;
      case "ONBUILD":
        this.#config = { ...config, OnBuild: [...(config.OnBuild ?? []), instruction.trigger] };
        return;
      case "MAINTAINER":
        this.#author = instruction.author;
    }
  }

  #declare({ args }: Arg): void {
    const { globals, builtin, buildArgs } = this.#request;
    for (const { name, value } of args) {
      const fallback =
        value === undefined ? (globals.get(name) ?? own(builtin, name)) : this.#expand(value);
      const resolved = own(buildArgs, name) ?? fallback;
      if (resolved === undefined) this.#args.delete(name);
      else this.#args.set(name, resolved);
    }
  }

  /** All values are those from before the instruction. */
  #pairs({ pairs }: Pairs): readonly (readonly [string, string])[] {
    return pairs.map(({ name, value }) => [this.#expand(name), this.#expand(value)] as const);
  }

  #oneWord({ keyword, word }: OneWord): ImageProcessConfig {
    const value = this.#expand(word);
    if (value === "") throw this.#error(`${keyword} ${word} is empty`);
    if (keyword === "USER") return { User: value };
    if (/^(\d+|(SIG)?[A-Z]+[A-Z0-9]*([+-]\d+)?)$/.test(value)) return { StopSignal: value };
    throw this.#error(`"${value}" is no signal`, "Write it as SIGTERM or 15.");
  }

  #words({ words, quoted }: Words): readonly string[] {
    return quoted ? words.map((word) => this.#expand(word)) : words;
  }

  #ports({ words }: Words): readonly string[] {
    const { escapeChar } = this.#request;
    const expanded = words.flatMap((word) =>
      this.#telling(() => expandWords(word, this.#lookup, { escapeChar })),
    );
    return expanded.flatMap((text) => {
      const ports = parsePorts(text);
      if (ports) return ports;
      throw this.#error(`"${text}" is no port`, "Write it as 80, 80/udp or 8000-8010.");
    });
  }

  #entrypoint(args: readonly string[]): void {
    const { Cmd: _, ...rest } = this.#config;
    this.#config = { ...(this.#hasOwnCmd ? this.#config : rest), Entrypoint: args };
  }

  #healthcheck(instruction: Healthcheck): NonNullable<ImageProcessConfig["Healthcheck"]> {
    const composed = composeHealthcheck(instruction);
    if (typeof composed !== "string") return composed;
    throw this.#error(`HEALTHCHECK ${composed}`, "Write a time as 30s, and retries as a number.");
  }

  #workdir({ word }: OneWord): Action {
    const path = posix.resolve("/", workdirOf(this.#config), this.#expand(word));
    this.#config = { ...this.#config, WorkingDir: path };
    return { kind: "workdir", path };
  }

  #run({ command, flags, heredocs }: Run): RunAction {
    const config = this.#config;
    const env = { ...Object.fromEntries(this.#args), ...Object.fromEntries(envOf(config)) };
    const { buildArgs } = this.#request;
    const hidden = PROXY_ARGS.flatMap((name) => {
      const value = env[name] === undefined ? own(buildArgs, name) : undefined;
      return value === undefined ? [] : [[name, value] as const];
    });
    const mounts = flagValues(flags, "mount").map((text) =>
      parseRunMount(this.#expand(text), {
        place: this.#place,
        workdir: workdirOf(config),
        findSource: (name) => this.#files(name),
      }),
    );
    if (flagValues(flags, "security").some((mode) => mode !== "sandbox")) {
      throw this.#error("RUN --security=insecure is not supported");
    }
    const [document] = heredocs;
    const script = document?.contents.startsWith("#!") ? document : undefined;
    return {
      ...{ kind: "run", env, hiddenEnv: Object.fromEntries(hidden), mounts },
      args: script ? [scriptPath(script.name)] : commandArgs(command, config),
      user: config.User ?? "",
      workdir: workdirOf(config),
      network: this.#network(flagValues(flags, "network").at(-1) ?? "default"),
      ...(script ? { script: { name: script.name, contents: script.contents } } : {}),
    };
  }

  #network(text: string): RunAction["network"] {
    if (text === "default" || text === "none" || text === "host") return text;
    throw this.#error(`RUN has no network "${text}"`, "It can be default, none or host.");
  }

  #copy(instruction: Copy): CopyAction {
    const { flags, heredocs, quoted } = instruction;
    const flag = (name: string) => {
      const value = flagValues(flags, name).at(-1);
      return value === undefined ? undefined : this.#expand(value);
    };
    const expand = (word: string) => this.#expandName(word, quoted);
    const from = flag("from");
    const named = new Map(heredocs.map((document) => [document.name, document]));
    const isDocument = (word: string) => named.has(documentName(word));
    return {
      kind: "copy",
      isAdd: instruction.keyword === "ADD",
      from: from === undefined ? { kind: "context" } : this.#files(from),
      sources: instruction.sources.filter((word) => !isDocument(word)).map(expand),
      files: heredocs.map(({ name, contents, expand: expands }) => ({
        name,
        contents: expands ? this.#expandDocument(contents) : contents,
      })),
      target: pathInImage(this.#config, expand(instruction.target)),
      chown: flag("chown"),
      chmod: this.#mode(flag("chmod")),
      exclude: flagValues(flags, "exclude").map((pattern) => this.#expand(pattern)),
      parents: (flag("parents") ?? "false") !== "false",
      checksum: this.#checksum(flag("checksum")),
      unpack: this.#choice(flag("unpack")),
    };
  }

  #choice(text: string | undefined): boolean | undefined {
    return text === undefined ? undefined : text !== "false";
  }

  #mode(text: string | undefined): number | undefined {
    if (text === undefined) return undefined;
    if (/^[0-7]{3,5}$/.test(text)) return Number.parseInt(text, 8) & 0o7777;
    throw this.#error(`--chmod cannot be "${text}"`, "Write it in octal: 0755.");
  }

  #checksum(text: string | undefined): string | undefined {
    if (text === undefined || /^sha256:[0-9a-f]{64}$/.test(text)) return text;
    throw this.#error(`--checksum cannot be "${text}"`, "Write sha256: and 64 hexadecimal digits.");
  }

  #files(name: string): FileSource {
    const source = this.#request.findSource(name);
    if (source.kind !== "scratch") return source;
    throw this.#error("there are no files in scratch");
  }

  readonly #lookup: Lookup = (name) => envOf(this.#config).get(name) ?? this.#args.get(name);

  #expand(text: string): string {
    const { escapeChar } = this.#request;
    return this.#telling(() => expandWord(text, this.#lookup, { escapeChar }));
  }

  #expandDocument(text: string): string {
    const { escapeChar } = this.#request;
    return this.#telling(() => expandWord(text, this.#lookup, { escapeChar, quotes: false }));
  }

  /** In JSON a quote is a character like others. */
  #expandName(text: string, quoted: boolean): string {
    return quoted ? this.#expand(text) : this.#expandDocument(text);
  }

  #telling<T>(expand: () => T): T {
    try {
      return expand();
    } catch (error) {
      if (error instanceof ExpandError) throw this.#error(error.message);
      throw error;
    }
  }

  get #place() {
    return { file: this.#request.file, line: this.#line };
  }

  #error(problem: string, hint?: string): Error {
    return invalidLine(this.#place, problem, hint);
  }
}

function documentName(word: string): string {
  return word.replace(/^\d*<<-?/, "").replace(/^(["'])(.*)\1$/, "$2");
}

/** As docker and podman write it: what is no command is marked as none. */
function createdBy(text: string, action: Action, args: ReadonlyMap<string, string>): string {
  if (action.kind !== "run") return `/bin/sh -c #(nop) ${text}`;
  const command = action.args.join(" ");
  if (args.size === 0) return command;
  const given = [...args].map(([name, value]) => `${name}=${value}`);
  return `|${given.length} ${given.join(" ")} ${command}`;
}
