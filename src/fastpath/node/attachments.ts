// Attaches the programs to uplinks and to the devices of served pods.

import type { AttachPoint, LoaderClient, ProgramRole } from '../loader/loader-client.ts';

/** Ifindexes of devices by attached program. */
export type AttachedDevices = Readonly<Record<ProgramRole, ReadonlySet<number>>>;

/** There is no notification when another process detaches a program. */
const REFRESH_MS = 10_000;

/** Tracks the attached programs. */
export class Attachments {
  readonly #loader: Pick<LoaderClient, 'listAttachments' | 'attach' | 'detach'>;
  readonly #attached: Readonly<Record<ProgramRole, Set<number>>> = { pod: new Set(), uplink: new Set() };
  #adoptedAt = Number.NEGATIVE_INFINITY;

  constructor(loader: Pick<LoaderClient, 'listAttachments' | 'attach' | 'detach'>) {
    this.#loader = loader;
  }

  get attached(): AttachedDevices {
    return this.#attached;
  }

  /** Lists the programs that this process or another has attached, and removes the links of deleted devices. */
  async adopt(now: number): Promise<void> {
    this.#adoptedAt = now;
    const attachments = await this.#loader.listAttachments();
    for (const devices of Object.values(this.#attached)) devices.clear();
    for (const { role, ifindex, isGone } of attachments) {
      if (isGone) await this.#loader.detach(role, ifindex);
      else this.#attached[role].add(ifindex);
    }
  }

  /** Calls {@link adopt} if the last call is too long ago. `now` in milliseconds. */
  async refresh(now: number): Promise<void> {
    if (now - this.#adoptedAt >= REFRESH_MS) await this.adopt(now);
  }

  async attach(points: readonly AttachPoint[]): Promise<void> {
    for (const { role, ifindex } of points) {
      await this.#loader.attach(role, ifindex);
      this.#attached[role].add(ifindex);
    }
  }

  async detach(points: readonly AttachPoint[]): Promise<void> {
    for (const { role, ifindex } of points) {
      await this.#loader.detach(role, ifindex);
      this.#attached[role].delete(ifindex);
    }
  }
}
