// The bits of ports by which the programs let most packets pass at once.
import { encodeU32 } from './entries.ts';
import { toHex } from './hex.ts';
import { BACKEND_PORTS_OFFSET, PORT_WORDS } from './layout.ts';

/** Sets and clears bits, and writes the words that have changed. */
export class PortBitmap {
  readonly #words = new BigUint64Array(PORT_WORDS);
  readonly #changed = new Set<number>();

  /** `held` is what the kernel has, by word. */
  constructor(installed: ReadonlyMap<number, bigint>) {
    for (const [at, word] of installed) this.#words[at] = word;
  }

  /** Ports of frontends, or of backends, whose bit is set. */
  *ports(side: 'frontends' | 'backends'): Iterable<number> {
    const base = side === 'frontends' ? 0 : BACKEND_PORTS_OFFSET;
    for (let at = base; at < base + PORT_WORDS / 2; at++) {
      const word = this.#words[at] ?? 0n;
      if (word === 0n) continue;
      for (let bit = 0; bit < 64; bit++) if ((word >> BigInt(bit)) & 1n) yield (at - base) * 64 + bit;
    }
  }

  assign(side: 'frontends' | 'backends', port: number, isSet: boolean): void {
    const at = (side === 'frontends' ? 0 : BACKEND_PORTS_OFFSET) + (port >> 6);
    const bit = 1n << BigInt(port & 63);
    const before = this.#words[at] ?? 0n;
    const after = isSet ? before | bit : before & ~bit;
    if (after === before) return;
    this.#words[at] = after;
    this.#changed.add(at);
  }

  /** Requests for the words that have changed since the last call. */
  takeWrites(): string[] {
    const writes = [...this.#changed].map((at) => {
      const word = new Uint8Array(new BigUint64Array([this.#words[at] ?? 0n]).buffer);
      return `put ports ${toHex(encodeU32(at))} ${toHex(word)}`;
    });
    this.#changed.clear();
    return writes;
  }
}
