/**
 * How an image came to be, the newest step first, under podman's names.
 */
import type { ImageLayer, StoredImage } from "../../images/index.ts";
import { goTime, humanAgo, humanSize, shortId } from "../format/human.ts";
import type { ValueRecord } from "../format/value.ts";
import type { RowOptions } from "./container-row.ts";

export const HISTORY_TABLE = "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";

export const HISTORY_HEADINGS: Readonly<Record<string, string>> = {
  ID: "ID",
  CreatedSince: "CREATED",
  CreatedBy: "CREATED BY",
  CreatedAt: "CREATED AT",
};

const SHOWN_COMMAND_LENGTH = 45;

/** Each step that made a layer has the next one's size; the uppermost has the image's id. */
export function historyRows(
  { id, config }: StoredImage,
  layers: readonly ImageLayer[],
  { now, truncate }: RowOptions,
): ValueRecord[] {
  const steps: NonNullable<typeof config.history> = config.history ?? layers.map(() => ({}));
  let next = 0;
  const rows = steps.map((step): ValueRecord => {
    const { created, created_by: by = "", comment = "", empty_layer: isEmpty = false } = step;
    const size = isEmpty ? 0 : (layers[next++]?.size ?? 0);
    const at = created === undefined ? undefined : new Date(created);
    return {
      ID: "<missing>",
      Created: created ?? "",
      CreatedAt: at === undefined ? "" : goTime(at),
      CreatedSince: at === undefined ? "" : humanAgo(at, now),
      CreatedBy: truncate ? shorten(by) : by,
      Size: humanSize(size, " "),
      SizeBytes: size,
      Comment: comment,
    };
  });
  const newestFirst = rows.toReversed();
  const [first, ...others] = newestFirst;
  return first ? [{ ...first, ID: truncate ? shortId(id) : id }, ...others] : [];
}

function shorten(text: string): string {
  return text.length > SHOWN_COMMAND_LENGTH ? `${text.slice(0, SHOWN_COMMAND_LENGTH - 1)}…` : text;
}
