import { readBackup } from "../../engine/index.ts";
import { formatInspected } from "../format/rows.ts";
import type { Value, ValueRecord } from "../format/value.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ options, operands }: CommandCall): Promise<void> {
  const views: ValueRecord[] = [];
  for (const file of operands) views.push(await view(file));
  print(formatInspected(views, options.value("format")));
}

async function view(file: string): Promise<ValueRecord> {
  const { manifest, inventories } = await readBackup(file);
  const { container } = manifest;
  return {
    ID: manifest.id,
    Base: manifest.base ?? "",
    CreatedAt: manifest.createdAt,
    Container: container.id,
    Name: container.name,
    Image: container.image?.id ?? "",
    ImageName: container.image?.reference ?? "",
    WithImage: manifest.withImage,
    Volumes: manifest.volumes.map((volume): Value => volume.name),
    Snapshots: (container.layers?.snapshots ?? []).map((snapshot): Value => snapshot.name),
    Files: Object.values(inventories).reduce((sum, tree) => sum + Object.keys(tree).length, 0),
  };
}
