import { listReferrers } from "../../images/index.ts";
import { formatListing } from "../format/rows.ts";
import { toMap } from "../format/value.ts";
import { print } from "../output.ts";
import { readRegistryAccess } from "../registry-access.ts";
import type { CommandCall } from "../table/types.ts";

const TABLE = "{{.Digest}}\t{{.ArtifactType}}\t{{.Size}}";
const HEADINGS = { ArtifactType: "ARTIFACT TYPE" };

export async function run({ options, operands }: CommandCall): Promise<void> {
  const referrers = await listReferrers(operands[0] ?? "", readRegistryAccess(options));
  const rows = referrers.map(({ digest, artifactType, mediaType, size, annotations }) => ({
    Digest: digest,
    ArtifactType: artifactType ?? mediaType,
    Size: size,
    Annotations: toMap(annotations),
  }));
  print(formatListing({ rows, table: TABLE, headings: HEADINGS }, options.value("format")));
}
