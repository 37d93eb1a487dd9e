// Bytes as the lower-case hexadecimal digits that nftlane-bpf reads and writes.

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** Without zeros at the end, which nftlane-bpf fills up: a frontend's value is mostly that. */
export function toShortHex(bytes: Uint8Array): string {
  let length = bytes.length;
  while (length > 1 && bytes[length - 1] === 0) length--;
  return toHex(bytes.subarray(0, length));
}

/** Throws a RangeError for anything but pairs of hexadecimal digits. */
export function fromHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new RangeError(`"${text.slice(0, 80)}" is not hexadecimal`);
  // Copied, for a small buffer is a part of one that others use, too.
  return new Uint8Array(Buffer.from(text, 'hex'));
}
