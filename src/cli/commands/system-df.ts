import { readCacheMountsUsage } from "../../build/index.ts";
import {
  listVolumes,
  readContainerUsage,
  readFrozenUsage,
  readImageUsage,
  readVolumeSize,
} from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { humanSize, shortId } from "../format/human.ts";
import { formatListing } from "../format/rows.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

const TABLE = "{{.Type}}\t{{.Total}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";
const IMAGE_TABLE = "{{.Image}}\t{{.ID}}\t{{.Size}}\t{{.Shared}}\t{{.Unique}}\t{{.Containers}}";
const VOLUME_TABLE = "{{.Name}}\t{{.Links}}\t{{.Size}}";
const VOLUME_HEADINGS = { Name: "VOLUME NAME" };
const IMAGE_HEADINGS = { ID: "IMAGE ID", Shared: "SHARED SIZE", Unique: "UNIQUE SIZE" };

export function run({ options, globals }: CommandCall): void {
  const engine = openEngineFor(globals);
  const { images, total, buildCache } = readImageUsage(engine);
  const containers = readContainerUsage(engine);
  const volumes = listVolumes(engine).map(({ name, users }) => ({
    ...{ name, links: users.length, size: readVolumeSize(engine, name) },
  }));
  const usersOf = (id: string) => containers.filter(({ image }) => image === id).length;
  if (options.flag("verbose")) {
    const rows = images.map(({ image, size, shared, unique }) => ({
      Image: image.names[0] ?? "<none>",
      ID: shortId(image.id),
      Size: humanSize(size, " "),
      Shared: humanSize(shared, " "),
      Unique: humanSize(unique, " "),
      Containers: usersOf(image.id),
    }));
    print(formatListing({ rows, table: IMAGE_TABLE, headings: IMAGE_HEADINGS }, undefined));
    const volumeRows = volumes.map(({ name, links, size }) => ({
      Name: name,
      Links: links,
      Size: humanSize(size, " "),
    }));
    const listing = { rows: volumeRows, table: VOLUME_TABLE, headings: VOLUME_HEADINGS };
    print(`\n${formatListing(listing, undefined)}`);
    return;
  }
  const sum = (sizes: readonly number[]) => sizes.reduce((a, b) => a + b, 0);
  const unused = images.filter(({ image }) => usersOf(image.id) === 0);
  const free = volumes.filter(({ links }) => links === 0);
  const frozen = readFrozenUsage(engine);
  const mounts = readCacheMountsUsage(engine);
  const stopped = containers.filter(({ running }) => !running);
  const row = (
    type: string,
    count: readonly [number, number],
    bytes: readonly [number, number],
  ) => ({
    Type: type,
    Total: count[0],
    Active: count[1],
    Size: humanSize(bytes[0], " "),
    RawSize: bytes[0],
    Reclaimable: humanSize(bytes[1], " "),
    RawReclaimable: bytes[1],
  });
  const rows = [
    row(
      "Images",
      [images.length, images.length - unused.length],
      [total, sum(unused.map(({ unique }) => unique))],
    ),
    row(
      "Containers",
      [containers.length, containers.length - stopped.length],
      [sum(containers.map(({ size }) => size)), sum(stopped.map(({ size }) => size))],
    ),
    row(
      "Local Volumes",
      [volumes.length, volumes.length - free.length],
      [sum(volumes.map(({ size }) => size)), sum(free.map(({ size }) => size))],
    ),
    row(
      "Build Cache",
      [buildCache.steps + mounts.mounts, buildCache.active + mounts.active],
      [buildCache.size + mounts.size, buildCache.size + mounts.reclaimable],
    ),
    row("Snapshots", [frozen.snapshots, frozen.snapshots], [frozen.size, frozen.reclaimable]),
  ];
  print(formatListing({ rows, table: TABLE, headings: {} }, options.value("format")));
}
