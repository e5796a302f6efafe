/**
 * New limits for a running container.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { hasErrno, TsrunError } from "../base/errors.ts";
import type { OciMemory, OciResources } from "../spec/index.ts";
import { writeDeviceFilter } from "./device-filter.ts";
import { readCpusets, readIfThere } from "./files.ts";
import { parseLimit } from "./keyed.ts";
import { deviceFilter } from "./plan.ts";
import { planRestore } from "./plan-restore.ts";
import { planValues } from "./plan-values.ts";
import { type CgroupWrite, type CurrentLimits, isDefault } from "./write.ts";

/**
 * Writes the limits that are given and leaves the others. If the kernel refuses one, those before
 * it are put back and that refusal is thrown, naming its field. Throws CGROUP_UNAVAILABLE for a
 * controller that this cgroup was not given when it was made, INVALID_SPEC for wrong limits.
 * Returns what was written where, cpu.max with its period.
 */
export function updateCgroup(
  directory: string,
  resources: OciResources,
): readonly Pick<CgroupWrite, "file" | "value">[] {
  const facts = readCpusets(dirname(directory));
  const writes = possibleWrites(directory, planValues(resources, facts, readCurrent(directory)));
  refuseTooSmall(directory, resources.memory ?? {});
  const done: { readonly file: string; readonly text: string }[] = [];
  try {
    for (let index = 0; index < writes.length; index++) {
      const write = writes[index] as CgroupWrite;
      const before = readBefore(directory, write.file);
      if (!writeLimit(directory, write)) continue;
      index += write.skipOk ?? 0;
      if (before === undefined) continue;
      done.push({ file: write.file, text: planRestore(write.file, write.value, before) });
    }
    if (resources.devices?.length) writeDeviceFilter(directory, deviceFilter(resources));
  } catch (error) {
    restore(directory, done, error);
    throw error;
  }
  return writes.map(({ file, value }) => ({
    file,
    value: file === "cpu.max" ? (readIfThere(`${directory}/${file}`)?.trim() ?? value) : value,
  }));
}

/** What would have to be written to a file to leave it as it is. */
function readBefore(directory: string, file: string): string | undefined {
  const text = readIfThere(`${directory}/${file}`);
  // The kernel does not take an empty list for a cpuset with processes; this one means the same.
  if (text?.trim() === "") return readIfThere(`${directory}/${file}.effective`) ?? text;
  return text;
}

/** False for a tolerated failure. */
function writeLimit(directory: string, write: CgroupWrite): boolean {
  const { file, value, origin, tolerate = [], hint } = write;
  try {
    writeFileSync(`${directory}/${file}`, value);
    return true;
  } catch (error) {
    if (hasErrno(error, ...tolerate)) return false;
    const { code } = error as { code?: unknown };
    if (typeof code !== "string") throw error;
    throw new TsrunError("INVALID_SPEC", `cannot set ${file} to "${value}" (${origin}): ${code}`, {
      cause: error,
      errno: code,
      origin,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

function restore(
  directory: string,
  done: readonly { readonly file: string; readonly text: string }[],
  cause: unknown,
): void {
  for (const { file, text } of done.toReversed()) {
    try {
      writeFileSync(`${directory}/${file}`, text);
    } catch (error) {
      const message = `an update of "${directory}" failed, and so did putting ${file} back to "${text}"`;
      throw new TsrunError("SYSTEM", message, { cause: new AggregateError([cause, error]) });
    }
  }
}

function readCurrent(directory: string): CurrentLimits {
  const memory = readIfThere(`${directory}/memory.max`);
  const [cpuQuota] = readIfThere(`${directory}/cpu.max`)?.split(" ") ?? [];
  const burst = readIfThere(`${directory}/cpu.max.burst`);
  const limit = memory === undefined ? undefined : parseLimit(memory);
  return {
    ...(limit === undefined
      ? {}
      : { memoryMaxBytes: limit === "max" ? Number.POSITIVE_INFINITY : limit }),
    ...(cpuQuota === undefined ? {} : { cpuQuota }),
    ...(burst === undefined ? {} : { cpuBurstMicros: Number(burst) }),
  };
}

/** Without those that a missing controller makes superfluous. Throws for one that is missed. */
function possibleWrites(directory: string, writes: readonly CgroupWrite[]): readonly CgroupWrite[] {
  const text = readIfThere(`${directory}/cgroup.controllers`);
  if (text === undefined) throw new TsrunError("NOT_FOUND", `the cgroup "${directory}" is gone`);
  const available = text.trim().split(" ");
  return writes.filter((write) => {
    const { controller, origin } = write;
    if (controller === undefined || available.includes(controller)) return true;
    if (isDefault(write)) return false;
    throw new TsrunError(
      "CGROUP_UNAVAILABLE",
      `${origin} needs the ${controller} controller, which "${directory}" does not have`,
      {
        origin,
        hint: `Enable it (echo +${controller} > cgroup.subtree_control in each cgroup above), or start the container with such a limit.`,
      },
    );
  });
}

/** OCI config-linux.md, "checkBeforeUpdate": rather refuse than have the kernel kill at once. */
function refuseTooSmall(directory: string, { limit, checkBeforeUpdate }: OciMemory): void {
  if (checkBeforeUpdate !== true || limit === undefined || limit <= 0) return;
  const used = Number(readFileSync(`${directory}/memory.current`, "utf8"));
  if (used <= limit) return;
  const origin = "linux.resources.memory.limit";
  const message = `${origin}: ${limit} bytes are less than the ${used} in use`;
  throw new TsrunError("INVALID_SPEC", message, { origin });
}
