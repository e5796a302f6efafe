/** run-repeatedly.ts IMAGE COUNT: a program that uses the built library, for breakdown.ts. */
import { loadLibrary } from "./library.ts";

const [image = "", count = "1"] = process.argv.slice(2);
const { run } = await loadLibrary();
for (let n = 0; n < Number(count); n += 1) await run({ image, command: ["/bin/true"] });
