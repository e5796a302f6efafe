import { rmdirSync } from "node:fs";
import { hasErrno } from "../base/errors.ts";
import type { OciIntelRdt } from "../spec/index.ts";
import { rdtGroup } from "./plan-rdt.ts";
import { readRdtFacts } from "./probe.ts";

/**
 * Removes the resctrl groups that are the container's alone. A class of service that has a name of its
 * own may be others' too: it stays, as with runc.
 */
export function removeRdt(rdt: OciIntelRdt, id: string): void {
  const name = rdtGroup(rdt, id);
  const { mountPoint } = readRdtFacts(name);
  if (mountPoint === undefined) return;
  removeIfThere(`${mountPoint}/${name}/mon_groups/${id}`);
  if (rdt.closID === undefined) removeIfThere(`${mountPoint}/${name}`);
}

function removeIfThere(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error; // it was removed, or never made
  }
}
