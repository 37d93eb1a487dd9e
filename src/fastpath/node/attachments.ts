// Where the programs are attached: to uplinks, and to the devices of pods that are served.
import type { LoaderClient, ProgramRole } from '../loader/loader-client.ts';

/** In milliseconds: nobody tells when somebody else detaches a program. */
const REFRESH_MS = 10_000;

/** Keeps what is attached in step with what is used. */
export class Attachments {
  readonly #programs: LoaderClient;
  /** As `role number`. */
  readonly #keys = new Set<string>();
  #adoptedAt = Number.NEGATIVE_INFINITY;

  constructor(programs: LoaderClient) {
    this.#programs = programs;
  }

  /** What is attached, as `role number`. */
  get attached(): ReadonlySet<string> {
    return this.#keys;
  }

  /** Whether packets from outside are looked at. */
  get hasUplink(): boolean {
    return [...this.#keys].some((key) => key.startsWith('uplink '));
  }

  /** Takes over what a process before this one has attached, and puts away what is left of devices that have gone. */
  async adopt(now: number): Promise<void> {
    this.#adoptedAt = now;
    const attachments = await this.#programs.listAttachments();
    this.#keys.clear();
    for (const { role, ifindex, isGone } of attachments) {
      if (isGone) await this.#programs.detach(role, ifindex);
      else this.#keys.add(`${role} ${ifindex}`);
    }
  }

  /** Looks every now and then whether it is still so. `now` in milliseconds. */
  async refresh(now: number): Promise<void> {
    if (now - this.#adoptedAt >= REFRESH_MS) await this.adopt(now);
  }

  /** By numbers of devices. First where answers come from: a flow whose answers were missed would be lost. */
  async attach({ pods, uplinks }: { pods: Iterable<number>; uplinks: Iterable<number> }): Promise<void> {
    for (const ifindex of pods) await this.#attachOne('pod', ifindex);
    for (const ifindex of uplinks) await this.#attachOne('uplink', ifindex);
  }

  /** Programs stay on a pod's device as long as a slot is used, and on an uplink as long as any is. */
  async detach(used: {
    /** Those of the pods that slots are used for. */
    readonly pods: ReadonlySet<number>;
    readonly uplinks: ReadonlySet<number>;
    /** Those that there are. */
    readonly devices: ReadonlySet<number>;
  }): Promise<void> {
    for (const key of this.#keys) {
      const [roleText, number] = key.split(' ');
      const [role, ifindex] = [roleText === 'pod' ? 'pod' : 'uplink', Number(number)] as const;
      const isUsed = role === 'pod' ? used.pods.has(ifindex) : used.uplinks.has(ifindex) || used.pods.size > 0;
      if (isUsed && used.devices.has(ifindex)) continue;
      await this.#programs.detach(role, ifindex);
      this.#keys.delete(key);
    }
  }

  async #attachOne(role: ProgramRole, ifindex: number): Promise<void> {
    if (this.#keys.has(`${role} ${ifindex}`)) return;
    await this.#programs.attach(role, ifindex);
    this.#keys.add(`${role} ${ifindex}`);
  }
}
