/**
 * The documents of an image that is made here.
 */
import { type Descriptor, type ImageManifest, MEDIA_TYPES } from "./config.ts";
import { digestOf } from "./digest.ts";
import type { ImageDocument } from "./store.ts";

export function jsonDocument(mediaType: string, value: unknown): ImageDocument {
  return { mediaType, bytes: Buffer.from(JSON.stringify(value)) };
}

export function describeDocument({ mediaType, bytes }: ImageDocument): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

export function composeManifest(
  config: ImageDocument,
  layers: readonly Descriptor[],
  annotations: Readonly<Record<string, string>> = {},
): ImageDocument {
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config: describeDocument(config),
    layers,
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
  return jsonDocument(MEDIA_TYPES.manifest, manifest);
}
