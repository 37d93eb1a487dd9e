// Assertions about single packets: passed unchanged and why, or translated into exact bytes.

import type { Test } from 'tap';
import { toHex } from '../../../src/fastpath/maps/hex.ts';
import { type BpfNamespace, PASSED, REDIRECTED } from './bpf-namespace.ts';

export type Program = 'uplink' | 'pod';
export type Options = Parameters<BpfNamespace['runPacket']>[2];

export class PacketExpectations {
  readonly #t: Test;
  readonly #netns: BpfNamespace;

  constructor(t: Test, netns: BpfNamespace) {
    this.#t = t;
    this.#netns = netns;
  }

  /** The packet goes to the stack unchanged, and is counted for the reason `as`. */
  async passed(program: Program, bytes: Uint8Array, { as, options }: { as: string; options?: Options }): Promise<void> {
    const { verdict, out, counted } = await this.#run(program, bytes, options);
    this.#t.equal(verdict, PASSED, `${as}: passed`);
    this.#t.equal(out, toHex(bytes), `${as}: unchanged`);
    this.#t.strictSame(counted, [as], `${as}: counted`);
  }

  /** The packet is redirected as the bytes `to`, and is counted for the reasons `as`. */
  async translated(
    program: Program,
    bytes: Uint8Array,
    { to, as, options }: { to: Uint8Array; as: string | readonly string[]; options?: Options },
  ): Promise<void> {
    const { verdict, out, counted } = await this.#run(program, bytes, options);
    this.#t.equal(verdict, REDIRECTED, `${as}: redirected`);
    this.#t.equal(out, toHex(to), `${as}: translated`);
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
