import { join } from "node:path";
import type * as Library from "../src/index.ts";

/** The library as users import it: what `npm run build` made of it. */
export function loadLibrary(): Promise<typeof Library> {
  const built = join(import.meta.dirname, "../dist/index.js");
  return import(built) as Promise<typeof Library>;
}
