/** Contexts for `tsrun build`, made of values. */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Cli, CliResult } from "./cli.ts";

export type ContextFiles = Readonly<Record<string, string>>;

/** A new directory with a Containerfile and these files. */
export function makeContext(cli: Cli, containerfile: string, files: ContextFiles = {}): string {
  const directory = mkdtempSync(cli.file("context-"));
  for (const [name, text] of Object.entries({ Containerfile: containerfile, ...files })) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return directory;
}

/** Builds it; the result's stdout is the image's id. */
export function build(
  cli: Cli,
  containerfile: string,
  files: ContextFiles = {},
  args: readonly string[] = [],
): Promise<CliResult> {
  return cli.run(["build", ...args, makeContext(cli, containerfile, files)]);
}

/** The id of a build that has to succeed. */
export async function built(...args: Parameters<typeof build>): Promise<string> {
  const { status, stdout, stderr } = await build(...args);
  if (status !== 0) throw new Error(`the build ended with ${status}: ${stderr}`);
  return stdout.trim();
}

export interface InspectedImage {
  readonly Config: Readonly<Record<string, unknown>>;
  readonly History: readonly { readonly created_by?: string; readonly empty_layer?: boolean }[];
  readonly RootFS: { readonly Layers: readonly string[] };
  readonly Digest: string;
  readonly Created: string;
}

export async function inspect(cli: Cli, image: string): Promise<InspectedImage> {
  const [only] = JSON.parse(await cli.ok("image", "inspect", image)) as InspectedImage[];
  if (!only) throw new Error(`there is no image ${image}`);
  return only;
}
