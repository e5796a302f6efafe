/** What a case of the table says, and how it is judged. */
import type { Bundle, Changes } from "./bundle.ts";

export interface Case {
  /** The promise, as the specification makes it. */
  readonly name: string;
  readonly set?: Changes | ((bundle: Bundle) => Changes);
  /** Changes the bundle's files before the configuration is written. */
  readonly prepare?: (bundle: Bundle) => void;
  /** Run by the container's shell, unless `set` has other arguments. */
  readonly script?: string;
  readonly expect: Expectation;
  /**
   * Peers that are known not to do so, and why. The list is kept honest: a peer that does it after all
   * fails the test.
   */
  readonly differs?: { readonly runc?: string; readonly crun?: string };
}

export type Expectation =
  /** The container's stdout without its last line end. */
  | { readonly stdout: string | RegExp; readonly status?: number }
  | { readonly status: number }
  /** create fails, and nothing is left. tsrun-oci's message contains the text: the field's JSON path. */
  | { readonly refused: string }
  /** Looked at after the container's end. */
  | { readonly after: (bundle: Bundle) => void };

/** A case's line; `stdout` as text has to be equal, as a pattern to match. */
export const shows = (stdout: string | RegExp): Expectation => ({ stdout });
export const isRefused = (path: string): Expectation => ({ refused: path });
