/**
 * RUN --mount=type=…,target=… docs.docker.com/reference/dockerfile "RUN --mount"; Containerfile(5).
 */

import { posix } from "node:path";
import { invalidLine, type LinePlace } from "./line-error.ts";
import { own } from "./own.ts";
import type { FileSource, RunMount } from "./step.ts";

export interface MountContext {
  readonly place: LinePlace;
  readonly workdir: string;
  readonly findSource: (name: string) => FileSource;
}

type Fields = ReadonlyMap<string, string>;

/** Throws INVALID_ARGUMENT with the line. */
export function parseRunMount(text: string, context: MountContext): RunMount {
  const fields = parseFields(text);
  const type = fields.get("type") ?? "bind";
  const kind = own(KINDS, type);
  if (!kind) {
    const hint = `It can be ${Object.keys(KINDS).join(", ")}.`;
    throw invalidLine(context.place, `--mount has no type "${type}"`, hint);
  }
  for (const name of fields.keys()) {
    if (name === "type" || kind.fields.includes(name)) continue;
    const hint = `It takes ${kind.fields.join(", ")}.`;
    throw invalidLine(context.place, `--mount=type=${type} does not know "${name}"`, hint);
  }
  return kind.parse(new Given(fields, context, text));
}

const ALIASES: Readonly<Record<string, string>> = {
  dst: "target",
  destination: "target",
  src: "source",
  ro: "readonly",
  rw: "readwrite",
  "tmpfs-size": "size",
};

function parseFields(text: string): Fields {
  return new Map(
    text.split(",").map((field) => {
      const [, name = "", value = "true"] = /^([^=]*)(?:=(.*))?$/s.exec(field) ?? [];
      const lower = name.trim().toLowerCase();
      return [own(ALIASES, lower) ?? lower, value];
    }),
  );
}

const OWNED = ["mode", "uid", "gid"];
const KINDS: Readonly<
  Record<string, { readonly fields: readonly string[]; readonly parse: (given: Given) => RunMount }>
> = {
  bind: {
    // relabel is SELinux's: there is nothing to do for it here.
    fields: ["target", "source", "from", "readwrite", "readonly", "relabel", "z", "Z"],
    parse: (given) => ({
      ...{ type: "bind", target: given.target(), from: given.from() },
      source: given.text("source") ?? "/",
      readOnly: !given.isOn("readwrite"),
    }),
  },
  cache: {
    fields: ["target", "id", "sharing", "readonly", "readwrite", ...OWNED],
    parse: (given) => ({
      ...{ type: "cache", target: given.target(), id: given.text("id") ?? given.target() },
      ...{ sharing: given.sharing(), readOnly: given.isOn("readonly") },
      ...given.owner(0o755),
    }),
  },
  secret: {
    fields: ["id", "target", "env", "required", ...OWNED],
    parse: parseSecret,
  },
  tmpfs: {
    fields: ["target", "size"],
    parse: (given) => {
      const size = given.text("size");
      const sizeBytes = size === undefined ? undefined : given.size(size);
      return {
        ...{ type: "tmpfs", target: given.target() },
        ...(sizeBytes === undefined ? {} : { sizeBytes }),
      };
    },
  },
};

function parseSecret(given: Given): RunMount {
  const target = given.text("target");
  const id = given.text("id") ?? (target === undefined ? undefined : posix.basename(target));
  if (id === undefined) throw given.error("has no id", "Write --mount=type=secret,id=NAME.");
  const env = given.text("env");
  const isFile = target !== undefined || env === undefined;
  return {
    ...{ type: "secret", id, env, required: given.isOn("required") },
    target: isFile ? given.resolve(target ?? `/run/secrets/${id}`) : undefined,
    ...given.owner(0o400),
  };
}

class Given {
  readonly #fields: Fields;
  readonly #context: MountContext;
  readonly #text: string;

  constructor(fields: Fields, context: MountContext, text: string) {
    this.#fields = fields;
    this.#context = context;
    this.#text = text;
  }

  text(name: string): string | undefined {
    return this.#fields.get(name);
  }

  isOn(name: string): boolean {
    const value = this.#fields.get(name);
    return value !== undefined && value !== "false" && value !== "0";
  }

  target(): string {
    const target = this.#fields.get("target");
    if (target !== undefined) return this.resolve(target);
    throw this.error("has no target", "Write where it is to be seen: target=/path.");
  }

  resolve(path: string): string {
    return posix.resolve(this.#context.workdir, path);
  }

  from(): FileSource {
    const from = this.#fields.get("from");
    return from === undefined ? { kind: "context" } : this.#context.findSource(from);
  }

  sharing(): "shared" | "private" | "locked" {
    const sharing = this.#fields.get("sharing") ?? "shared";
    if (sharing === "shared" || sharing === "private" || sharing === "locked") return sharing;
    throw this.error(`cannot be shared "${sharing}"`, "It can be shared, private or locked.");
  }

  owner(mode: number): { readonly mode: number; readonly uid: number; readonly gid: number } {
    const modeText = this.#fields.get("mode");
    if (modeText !== undefined && !/^[0-7]{3,5}$/.test(modeText)) {
      throw this.error(`has the mode "${modeText}"`, "Write it in octal: 0400.");
    }
    return {
      mode: modeText === undefined ? mode : Number.parseInt(modeText, 8),
      uid: this.#id("uid"),
      gid: this.#id("gid"),
    };
  }

  size(text: string): number {
    const [, digits, unit = ""] = /^(\d+)([kmg]?)b?$/i.exec(text) ?? [];
    if (digits === undefined) throw this.error(`has the size "${text}"`, "Write it as 64m.");
    return Number(digits) * 1024 ** ["", "k", "m", "g"].indexOf(unit.toLowerCase());
  }

  error(problem: string, hint: string): Error {
    return invalidLine(this.#context.place, `--mount=${this.#text} ${problem}`, hint);
  }

  #id(name: string): number {
    const text = this.#fields.get(name) ?? "0";
    if (/^\d+$/.test(text)) return Number(text);
    throw this.error(`has the ${name} "${text}"`, "Write a number.");
  }
}
