import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { mount, unshare } from "../../../src/ffi/index.ts";

const CLONE_NEWNS = 0x0002_0000;
const MS_REC = 0x4000;
const MS_PRIVATE = 1 << 18;

/**
 * Gives the test file's process a mount namespace of its own and an empty tmpfs to work in, whose path
 * it returns. Only the main thread is moved: use the synchronous calls of node:fs. Nothing has to be
 * undone, the kernel drops it all with the process.
 */
export function enterPrivateMounts(): string {
  unshare(CLONE_NEWNS);
  mount({ target: "/", flags: MS_REC | MS_PRIVATE });
  mount({ source: "test", target: "/mnt", type: "tmpfs" });
  return mkdtempSync(join("/mnt", "work-"));
}
