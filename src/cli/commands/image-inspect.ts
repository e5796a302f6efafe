import { completeImageName, inspectImage, readImageSize } from "../../engine/index.ts";
import { openEngineFor } from "../engine-context.ts";
import { formatInspected } from "../format/rows.ts";
import { print } from "../output.ts";
import type { CommandCall } from "../table/types.ts";
import { imageInspectView } from "../views/image-view.ts";

export async function run({ options, operands, globals }: CommandCall): Promise<void> {
  const engine = openEngineFor(globals);
  const views = await Promise.all(
    operands.map(async (name) => {
      const image = inspectImage(engine, await completeImageName(engine, name));
      return imageInspectView(image, readImageSize(engine, image));
    }),
  );
  print(formatInspected(views, options.value("format")));
}
