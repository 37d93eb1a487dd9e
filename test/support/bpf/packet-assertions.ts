// What tests say about one packet: handed on as it came and why, or translated into exactly these bytes.
import type { Test } from 'tap';
import { toHex } from '../../../src/fastpath/maps/hex.ts';
import { type BpfNamespace, PASSED, REDIRECTED } from './bpf-sandbox.ts';

export type Program = 'uplink' | 'pod';
export type Options = Parameters<BpfNamespace['runPacket']>[2];

export class PacketExpectations {
  readonly #t: Test;
  readonly #netns: BpfNamespace;

  constructor(t: Test, place: BpfNamespace) {
    this.#t = t;
    this.#netns = place;
  }

  /** The packet comes out as it went in, and is counted for that reason. */
  async passed(program: Program, bytes: Uint8Array, reason: string, options?: Options): Promise<void> {
    const { verdict, out, counted } = await this.#run(program, bytes, options);
    this.#t.equal(verdict, PASSED, `${reason}: handed on`);
    this.#t.equal(out, toHex(bytes), `${reason}: unchanged`);
    this.#t.strictSame(counted, [reason], `${reason}: counted`);
  }

  /** The packet is redirected as these bytes, and is counted for these reasons. */
  async translated(
    program: Program,
    bytes: Uint8Array,
    { to, as, options }: { to: Uint8Array; as: string | readonly string[]; options?: Options },
  ): Promise<void> {
    const { verdict, out, counted } = await this.#run(program, bytes, options);
    this.#t.equal(verdict, REDIRECTED, `${as}: redirected`);
    this.#t.equal(out, toHex(to), `${as}: as expected`);
    this.#t.strictSame(counted, typeof as === 'string' ? [as] : as, `${as}: counted`);
  }

  async #run(program: Program, bytes: Uint8Array, options?: Options) {
    const before = await this.#netns.reasonCounts();
    const { verdict, bytes: out } = await this.#netns.runPacket(program, bytes, options);
    const after = await this.#netns.reasonCounts();
    const counted = Object.keys(after).filter((reason) => after[reason] !== (before[reason] ?? 0));
    return { verdict, out: toHex(out), counted };
  }
}
