/**
 * Loads koffi's compiled module, on first use and without koffi's own entry.
 *
 * `require("koffi")` reads and runs three files to find its binary (8–17 ms); the binary itself
 * loads in 1.5–3 ms, and commands that call nothing native should not pay even that.
 */
import { createRequire } from "node:module";
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

/**
 * `createRequire` starts from this very file, so the bundle in dist/ finds node_modules as well.
 * The binary's package is koffi's dependency: npm puts it beside koffi, pnpm only below it.
 */
function loadBinary(): Koffi {
  const here = createRequire(import.meta.filename);
  const failures: unknown[] = [];
  const packageName = `@koromix/koffi-linux-${process.arch}`;
  for (const from of [() => here, () => createRequire(here.resolve("koffi"))]) {
    // koffi names its builds "linux" for glibc and "musl"; the wrong one fails to link, cleanly.
    for (const libc of ["linux", "musl"]) {
      try {
        return from()(`${packageName}/${libc}_${process.arch}/koffi.node`) as Koffi;
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
