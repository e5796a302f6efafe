/** Which unit a container gets, and with which properties it begins. */
import { TsrunError } from "../base/errors.ts";
import type { UnitProperty } from "./unit-property.ts";

export interface Unit {
  /** "libpod-ID.scope" */
  readonly name: string;
  /** The one it is in: "machine.slice". */
  readonly slice: string;
  /** A scope has processes and is delegated; a slice only divides. */
  readonly kind: "scope" | "slice";
}

const ORIGIN = "linux.cgroupsPath";
const DEFAULT_SLICE = "system.slice";
const DEFAULT_PREFIX = "tsrun";
const SLICE = ".slice";

/**
 * SLICE:PREFIX:NAME as engines write it for runc: the scope PREFIX-NAME.scope in SLICE, or the slice NAME
 * if it ends so. Without it the scope is named after the container. Throws INVALID_SPEC.
 */
export function parseUnit(cgroupsPath: string | undefined, id: string): Unit {
  const path = cgroupsPath || `${DEFAULT_SLICE}:${DEFAULT_PREFIX}:${id}`;
  const [slice = "", prefix = "", name = "", ...more] = path.split(":");
  if (more.length > 0 || name === "") {
    throw invalid(
      `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "${path}" instead`,
    );
  }
  const isSlice = name.endsWith(SLICE);
  const unit: Unit = {
    name: isSlice ? name : `${prefix}-${name}.scope`,
    slice: slice || DEFAULT_SLICE,
    kind: isSlice ? "slice" : "scope",
  };
  checkName(unit.name);
  expandSlice(unit.slice);
  if (isSlice) expandSlice(name);
  return unit;
}

/** systemd.unit(5), "String Escaping for Inclusion in Unit Names". */
function checkName(name: string): void {
  if (name.length < 256 && /^[\w:.\\-]+$/.test(name)) return;
  throw invalid(`"${name}" is no name of a systemd unit`);
}

/** Where systemd puts a unit, below its own cgroup. */
export function planCgroupsPath({ name, slice, kind }: Unit): string {
  return kind === "slice" ? expandSlice(name) : `${expandSlice(slice)}/${name}`;
}

/**
 * A slice's place: "a-b.slice" is in "a.slice", and "-.slice" is the top (""). Throws INVALID_SPEC.
 * systemd.slice(5).
 */
export function expandSlice(slice: string): string {
  const stem = slice.slice(0, -SLICE.length);
  if (slice === "-.slice") return "";
  const parts = stem.split("-");
  if (!slice.endsWith(SLICE) || parts.includes("")) {
    throw invalid(`invalid slice name: "${slice}"`);
  }
  checkName(slice);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join("-")}${SLICE}`).join("");
}

/**
 * The object of a unit: bytes other than letters and digits, and a digit at the beginning, as _XX.
 * sd_bus_path_encode(3).
 */
export function unitObjectPath(name: string): string {
  const label = [...Buffer.from(name)]
    .map((byte, index) => {
      const char = String.fromCharCode(byte);
      const plain = index === 0 ? /[A-Za-z]/ : /[A-Za-z0-9]/;
      return plain.test(char) ? char : `_${byte.toString(16).padStart(2, "0")}`;
    })
    .join("");
  return `/org/freedesktop/systemd1/unit/${label}`;
}

const on = (name: string): UnitProperty => ({ name, signature: "b", value: true });
const text = (name: string, value: string): UnitProperty => ({ name, signature: "s", value });

/** Everything is counted from the start: the kernel does not charge later what was used before. */
const ACCOUNTING = ["MemoryAccounting", "CPUAccounting", "IOAccounting", "TasksAccounting"];

/**
 * The properties that a unit is started with. A scope takes the processes `pids`; a slice takes none, and
 * is told its parent by its name. The last ones win: those of the specification's author.
 */
export function planUnitStart(
  unit: Unit,
  {
    id,
    pids,
    limits,
    annotated,
  }: {
    readonly id: string;
    readonly pids: readonly number[];
    readonly limits: readonly UnitProperty[];
    readonly annotated: readonly UnitProperty[];
  },
): readonly UnitProperty[] {
  const place: readonly UnitProperty[] =
    unit.kind === "slice"
      ? [{ name: "Wants", signature: "as", value: [unit.slice] }]
      : [
          text("Slice", unit.slice),
          on("Delegate"),
          { name: "PIDs", signature: "au", value: [...pids] },
        ];
  return [
    text("Description", `tsrun container ${id}`),
    ...place,
    ...ACCOUNTING.map(on),
    { name: "DefaultDependencies", signature: "b", value: false },
    ...limits,
    ...annotated,
  ];
}

function invalid(message: string): TsrunError {
  return new TsrunError("INVALID_SPEC", message, { origin: ORIGIN });
}
