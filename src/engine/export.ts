/**
 * A container's whole root as a tar archive. Its layers are read, with no mount that anybody sees: a
 * container that runs goes on, and what is mounted in it (volumes, /proc) is not in the archive.
 */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { TsrunError } from "../base/errors.ts";
import { packBelow } from "../images/index.ts";
import { openDetachedRoot } from "../overlay/index.ts";
import { withContainer } from "./container.ts";
import type { Engine } from "./engine.ts";
import { recordEvent } from "./events/record.ts";
import { rootModeOf } from "./layers.ts";
import type { ContainerConfig } from "./records.ts";
import { planRootToRead } from "./root.ts";

export interface ExportOptions {
  readonly signal?: AbortSignal;
}

/**
 * Writes the archive to `output`, which stays open. Nobody else changes the container meanwhile, but what
 * runs in it: what is removed while it is read is left out. Throws UNSUPPORTED for a running container
 * whose root is in memory, ABORTED, and what `output` fails with.
 */
export async function exportContainer(
  engine: Engine,
  ref: string,
  output: NodeJS.WritableStream,
  { signal }: ExportOptions = {},
): Promise<void> {
  await withContainer(
    engine,
    ref,
    async ({ config, status }) => {
      const runs = status === "running" || status === "paused";
      if (runs && rootModeOf(config) === "ephemeral") throw inMemory(config);
      // The archive's own pipe() would end the caller's stream: it knows no `end`.
      const archive = Readable.from(packRoot(engine, config), { objectMode: false });
      await pipeline(archive, output, { end: false, ...(signal ? { signal } : {}) }).catch(
        (error: unknown) => {
          throw signal?.aborted ? aborted(config, error) : error;
        },
      );
      recordEvent(engine, config, "export");
    },
    signal,
  );
}

/** All that the container has as one stream. */
export function packRoot(engine: Engine, config: ContainerConfig): Readable {
  const root = openDetachedRoot(planRootToRead(engine, config));
  return packBelow(root, { path: "", name: "" }, { warn: (text) => engine.warn(text) });
}

function inMemory({ name }: ContainerConfig): TsrunError {
  return new TsrunError("UNSUPPORTED", `what "${name}" has changed is in memory alone`, {
    hint: "Its root is ephemeral: pack it from inside, with `tsrun exec NAME tar …`.",
  });
}

function aborted({ name }: ContainerConfig, cause: unknown): TsrunError {
  return new TsrunError("ABORTED", `the export of "${name}" was aborted`, { cause });
}
