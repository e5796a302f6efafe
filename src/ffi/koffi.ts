/**
 * Loads koffi's compiled module, on first use and without koffi's own entry.
 *
 * `require("koffi")` reads and runs three files to find its binary (8–17 ms); the binary itself
 * loads in 1 ms, and commands that call nothing native should not pay even that.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { TsrunError } from "../base/errors.ts";

/** A C function as koffi binds it. Pointers may be given as typed arrays, bigints, numbers or null. */
export type NativeFunction = (...args: readonly unknown[]) => unknown;

interface Library {
  func(name: string, result: string, parameters: readonly string[]): NativeFunction;
}

/** The part of koffi that tsrun uses. */
export interface Koffi {
  load(path: string | null): Library;
  errno(): number;
  address(memory: Uint8Array): bigint;
  /** Memory at an address, without a copy. */
  view(address: unknown, length: number): ArrayBuffer;
  readonly node: {
    poll(fd: number, events: { readable?: boolean }, ready: () => void): { close(): void };
  };
}

let loaded: Koffi | undefined;

/** koffi's module. Throws UNSUPPORTED where no binary for this machine is installed. */
export function koffi(): Koffi {
  loaded ??= loadBinary();
  return loaded;
}

/** koffi names its builds "linux" for glibc and "musl"; the wrong one fails to link, cleanly. */
const LIBCS = ["linux", "musl"];

/** Both ways start from this very file, so the bundle in dist/ finds node_modules as well. */
function loadBinary(): Koffi {
  const packageName = `@koromix/koffi-linux-${process.arch}`;
  const failures: unknown[] = [];
  for (const load of [loadFromFolders, loadByRequire]) {
    for (const libc of LIBCS) {
      try {
        const binary = load(`${packageName}/${libc}_${process.arch}/koffi.node`);
        if (binary) return binary;
      } catch (error) {
        failures.push(error);
      }
    }
  }
  throw new TsrunError("UNSUPPORTED", `cannot load the native module of "${packageName}"`, {
    hint: 'Run "npm install" on this machine, without --omit=optional: koffi has one such package per architecture.',
    cause: new AggregateError(failures, `no build of ${packageName} could be loaded`),
  });
}

/** What require() would find, without a package.json read in every folder: 1 ms instead of 2 to 4. */
function loadFromFolders(path: string): Koffi | undefined {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const file = join(folder, "node_modules", path);
    if (existsSync(file)) {
      const module = { exports: {} };
      process.dlopen(module, file);
      return module.exports as Koffi;
    }
    if (folder === dirname(folder)) return undefined;
  }
}

/** The binary's package is koffi's dependency: npm puts it beside koffi, pnpm only below it. */
function loadByRequire(path: string): Koffi {
  const here = createRequire(import.meta.filename);
  return createRequire(here.resolve("koffi"))(path) as Koffi;
}
