/**
 * build --secret: id=ID,src=FILE or id=ID,env=NAME. podman-build(1).
 */
import { invalidValue } from "./invalid-value.ts";

export interface BuildSecret {
  readonly id: string;
  readonly source:
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "env"; readonly name: string };
}

const FLAG = "--secret";
const HINT = "Write it as id=NAME,src=FILE or id=NAME,env=VARIABLE.";

/** Without a source the id is the file's name, or the variable's with type=env. Throws INVALID_ARGUMENT. */
export function parseBuildSecret(text: string): BuildSecret {
  const fields = new Map<string, string>();
  for (const part of text.split(",")) {
    const equals = part.indexOf("=");
    const name = part.slice(0, Math.max(equals, 0));
    if (!["id", "src", "source", "env", "type"].includes(name)) {
      throw invalidValue(FLAG, text, `it has "${part}"`, HINT);
    }
    fields.set(name === "source" ? "src" : name, part.slice(equals + 1));
  }
  const { id, src, env, type } = Object.fromEntries(fields);
  if (id === undefined || !/^[\w.-]+$/.test(id))
    throw invalidValue(FLAG, text, "it has no id", HINT);
  if (type !== undefined && type !== "file" && type !== "env") {
    throw invalidValue(FLAG, text, `it has the type "${type}"`, "It can be file or env.");
  }
  if (env !== undefined && src !== undefined) {
    throw invalidValue(FLAG, text, "it has a file and a variable", HINT);
  }
  if (env !== undefined || type === "env") {
    return { id, source: { kind: "env", name: env ?? src ?? id } };
  }
  return { id, source: { kind: "file", path: src ?? id } };
}
