/**
 * Which layers with which below them: image-spec config.md "Layer ChainID".
 */
import { digestOf } from "./digest.ts";

/** One chain id for each diff id, the lowest layer's first. */
export function chainIds(diffIds: readonly string[]): readonly string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(Buffer.from(`${below} ${diffId}`)));
  }
  return chain;
}
