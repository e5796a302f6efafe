/**
 * A volume with podman's fields.
 */
import type { VolumeFilters, VolumeView } from "../../engine/index.ts";
import { parseChoice, parseFilters } from "../filters.ts";
import { toMap, type Value, type ValueRecord } from "../format/value.ts";

export const VOLUME_TABLE = "{{.Driver}}\t{{.Name}}";
export const VOLUME_HEADINGS: Readonly<Record<string, string>> = { Name: "VOLUME NAME" };

export function volumeView(view: VolumeView): ValueRecord {
  const { name, driver, createdAt, labels, options, mountpoint, users } = view;
  return {
    Name: name,
    Driver: driver,
    Mountpoint: mountpoint,
    CreatedAt: createdAt,
    Labels: toMap(labels),
    Scope: "local",
    Options: toMap(options),
    Anonymous: view.anonymous,
    NeedsCopyUp: view.needsCopyUp,
    Mounted: view.mounted,
    Containers: users.map((user): Value => user.name),
  };
}

const FILTERS = ["name", "label", "driver", "opt", "dangling", "anonymous"] as const;

export function parseVolumeFilters(texts: readonly string[]): VolumeFilters {
  const filters = parseFilters(texts, FILTERS);
  for (const key of ["dangling", "anonymous"] as const) {
    for (const value of filters[key] ?? [])
      parseChoice(`--filter ${key}`, value, ["true", "false"]);
  }
  return filters;
}
