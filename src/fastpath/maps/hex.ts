// Converts bytes to and from lower-case hexadecimal, as nftlane-bpf uses it.

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** Omits trailing zeros, which nftlane-bpf fills in. Most of a frontend's value is zeros. */
export function toShortHex(bytes: Uint8Array): string {
  let length = bytes.length;
  while (length > 1 && bytes[length - 1] === 0) length--;
  return toHex(bytes.subarray(0, length));
}

/** Throws a RangeError for anything but pairs of hexadecimal digits. */
export function fromHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/.test(text))
    throw new RangeError(`Cannot read bytes "${text.slice(0, 80)}": not hexadecimal`);
  // A copy: Node takes small buffers from a shared pool.
  return new Uint8Array(Buffer.from(text, 'hex'));
}
