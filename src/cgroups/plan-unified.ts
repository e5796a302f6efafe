import { type Controller, isController } from "./controllers.ts";
import { type CgroupWrite, invalidLimit } from "./write.ts";

const ORIGIN = "linux.resources.unified";

/** The core's files that are limits; the others move, freeze or kill processes. */
const CORE_LIMITS = ["cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure"];

/**
 * Files of cgroup v2 by name. A value of several lines is several writes: the kernel takes one
 * device a write. Throws INVALID_SPEC for a name that is no limit's. OCI config-linux.md, "Unified".
 */
export function planUnified(unified: Readonly<Record<string, string>>): readonly CgroupWrite[] {
  return Object.entries(unified).flatMap(([file, text]) => {
    const origin = `${ORIGIN}["${file}"]`;
    const controller = controllerOf(file, origin);
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    if (lines.length === 0) throw invalidLimit(origin, "the value is empty");
    return lines.map((value) => ({ file, value: value.trim(), controller, origin }));
  });
}

function controllerOf(file: string, origin: string): Controller | undefined {
  if (!/^[a-z0-9_]+(\.[A-Za-z0-9_]+)+$/.test(file)) {
    throw invalidLimit(origin, `"${file}" is no name of a cgroup file`);
  }
  const name = file.slice(0, file.indexOf("."));
  if (isController(name)) return name;
  if (CORE_LIMITS.includes(file)) return undefined;
  throw invalidLimit(
    origin,
    name === "cgroup" ? `"${file}" is not a limit` : `there is no controller "${name}"`,
    name === "cgroup"
      ? `Of the core's files only ${CORE_LIMITS.join(", ")} can be set.`
      : undefined,
  );
}
