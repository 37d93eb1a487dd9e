// Where the programs are attached: to uplinks, and to the devices of pods that are served.
import type { AttachPoint, LoaderClient, ProgramRole } from '../loader/loader-client.ts';

/** Numbers of devices by the program that is attached to them. */
export type AttachedDevices = Readonly<Record<ProgramRole, ReadonlySet<number>>>;

/** In milliseconds: nobody tells when somebody else detaches a program. */
const REFRESH_MS = 10_000;

/** What is attached, as this process knows it. */
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

  /** Takes over what a process before this one has attached, and puts away what is left of devices that have gone. */
  async adopt(now: number): Promise<void> {
    this.#adoptedAt = now;
    const attachments = await this.#loader.listAttachments();
    for (const devices of Object.values(this.#attached)) devices.clear();
    for (const { role, ifindex, isGone } of attachments) {
      if (isGone) await this.#loader.detach(role, ifindex);
      else this.#attached[role].add(ifindex);
    }
  }

  /** Looks every now and then whether it is still so. `now` in milliseconds. */
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
