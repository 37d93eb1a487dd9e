// Decodes the bytes of a manifest.

import { ManifestError } from './manifest-error.ts';

/** The contents of a file. */
export interface ManifestBytes {
  /** For messages. */
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** The text, without a byte order mark. Throws {@link ManifestError} if it is not UTF-8, the only encoding of JSON (RFC 8259). */
export function decodeManifest({ file, bytes }: ManifestBytes): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new ManifestError(file, 'is not UTF-8 text', { cause: error });
  }
}
