import {
  completeImageName,
  inspectImage,
  listImageLayers,
  listImages,
  readImageSize,
} from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { humanSize, shortId } from "../format/human.ts";
import { lines } from "../format/rows.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";

export async function run({ operands, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const image = inspectImage(engine, await completeImageName(engine, operands[0] ?? ""));
  const layers = listImageLayers(engine, image);
  const tops = listImages(engine)
    .filter(({ id }) => id !== image.id)
    .map((other) => ({ other, chain: listImageLayers(engine, other) }));
  const tree = layers.map(({ chainId, diffId, size }, at) => {
    const branch = at === layers.length - 1 ? "└──" : "├──";
    const sharing = tops
      .filter(({ chain }) => chain[at]?.chainId === chainId)
      .flatMap(({ other }) => (other.names.length > 0 ? other.names : [shortId(other.id)]));
    const also = sharing.length > 0 ? `  also in ${sharing.join(", ")}` : "";
    return `${branch} ${shortId(diffId.slice("sha256:".length))}  ${humanSize(size, " ")}${also}`;
  });
  print(
    lines([
      `Image ID: ${shortId(image.id)}`,
      `Tags:     ${image.names.join(", ") || "<none>"}`,
      `Size:     ${humanSize(readImageSize(engine, image), " ")}`,
      "Image Layers",
      ...tree,
    ]),
  );
}
