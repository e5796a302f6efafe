/**
 * -e, --env-file and --env-host: the variables that the container's process gets from the command line.
 */
import { invalidValue } from "./invalid-value.ts";
import { splitKeyValue } from "./key-value.ts";

type HostEnv = Readonly<Record<string, string | undefined>>;
export type EnvEntries = readonly (readonly [name: string, value: string])[];

/**
 * One -e: "NAME=value"; "NAME" takes the value from the host's environment and is left out where it
 * has none; "PREFIX*" takes every variable that begins so. podman-run(1) "--env".
 */
export function parseEnv(flag: string, text: string, host: HostEnv): EnvEntries {
  const { key, value } = splitKeyValue(text);
  if (key === "" || key.includes("\0")) {
    throw invalidValue(flag, text, "it has no name", "Write it as NAME=value, or NAME alone.");
  }
  if (value !== undefined) return [[key, value]];
  if (key.endsWith("*")) return hostEntries(host, (name) => name.startsWith(key.slice(0, -1)));
  return hostEntries(host, (name) => name === key);
}

/** --env-host: all of the host's variables. */
export function parseEnvHost(host: HostEnv): EnvEntries {
  return hostEntries(host, () => true);
}

/**
 * The text of an env file: one variable a line, taken literally to the end of the line; blank lines
 * and lines that begin with "#" are left out. There is no quoting, as in podman and Docker.
 */
export function parseEnvFile(path: string, text: string, host: HostEnv): EnvEntries {
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  return lines.flatMap((raw, index) => {
    const line = raw.replace(/\r$/, "").trimStart();
    if (line === "" || line.startsWith("#")) return [];
    const { key } = splitKeyValue(line);
    if (key === "" || /\s/.test(key) || line.includes("\0")) {
      throw invalidValue(
        "--env-file",
        path,
        `line ${index + 1} is not NAME=value`,
        "A name has no spaces and no quotes; comments begin with #.",
      );
    }
    return parseEnv("--env-file", line, host);
  });
}

function hostEntries(host: HostEnv, wanted: (name: string) => boolean): EnvEntries {
  return Object.entries(host).flatMap(([name, value]) =>
    value !== undefined && wanted(name) ? [[name, value] as const] : [],
  );
}
