/**
 * What a pull and the threads that unpack its layers tell each other. Errors keep what users are told of
 * them: a thread would else get a bare Error.
 */
import { type ErrorCode, TsrunError } from "../base/errors.ts";
import type { UnpackedLayer, UnpackLimits } from "./unpack.ts";

export type ToUnpacker =
  /** Begins a layer, whose archive is in the file, or will be. */
  | {
      readonly kind: "unpack";
      readonly file: string;
      readonly directory: string;
      readonly diffId: string;
      readonly limits?: UnpackLimits;
    }
  /** The file has its first so many bytes now. */
  | { readonly kind: "bytes"; readonly length: number }
  /** Those were all. */
  | { readonly kind: "end" }
  | { readonly kind: "abort" };

export type FromUnpacker =
  | { readonly kind: "unpacked"; readonly layer: UnpackedLayer }
  | { readonly kind: "failed"; readonly error: SentError };

/** An error as it goes from thread to thread. One of Node's own keeps its stack, but loses its code. */
export type SentError =
  | {
      readonly code: ErrorCode;
      readonly message: string;
      readonly hint: string | undefined;
      readonly errno: string | undefined;
      readonly origin: string | undefined;
      readonly cause: string | undefined;
    }
  | { readonly other: unknown; readonly code: unknown };

export function encodeError(error: unknown): SentError {
  if (!(error instanceof TsrunError)) {
    return {
      other: error,
      code: error instanceof Error && "code" in error ? error.code : undefined,
    };
  }
  const { code, message, hint, errno, origin, cause } = error;
  const reason = cause instanceof Error ? cause.message : undefined;
  return { code, message, hint, errno, origin, cause: reason };
}

export function decodeError(sent: SentError): unknown {
  if ("other" in sent) {
    const { other, code } = sent;
    return other instanceof Error && code !== undefined ? Object.assign(other, { code }) : other;
  }
  const { code, message, hint, errno, origin, cause } = sent;
  return new TsrunError(code, message, {
    ...(hint === undefined ? {} : { hint }),
    ...(errno === undefined ? {} : { errno }),
    ...(origin === undefined ? {} : { origin }),
    ...(cause === undefined ? {} : { cause: new Error(cause) }),
  });
}
