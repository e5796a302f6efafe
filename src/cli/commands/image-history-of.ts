import { completeImageName, listImageVersions } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { humanAgo, shortId } from "../format/human.ts";
import { formatListing } from "../format/rows.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

const TABLE = "{{.Version}}\t{{.Current}}\t{{.Digest}}\t{{.Since}}\t{{.Source}}";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const format = options.value("format");
  const truncate = !options.flag("no-trunc") && format !== "json";
  const name = await completeImageName(engine, operands[0] ?? "");
  const now = new Date();
  const rows = listImageVersions(engine, name).map((version) => ({
    Name: version.name,
    Version: version.version,
    Current: version.current ? "*" : "",
    Digest: truncate ? shortId(version.digest.slice("sha256:".length)) : version.digest,
    Since: format === "json" ? version.since : humanAgo(new Date(version.since), now),
    Source: version.source?.replace(/@.*/, "") ?? "",
  }));
  print(formatListing({ rows, table: TABLE, headings: {} }, format));
}
