// Where the programs are attached: to uplinks, and to the devices of pods that are served.
import type { Programs, Role } from '../loader/programs.ts';

/** In milliseconds: nobody tells when somebody else detaches a program. */
const REVIEW_MS = 10_000;

/** Keeps what is attached in step with what is used. */
export class Attachments {
  readonly #programs: Programs;
  /** As `role number`. */
  readonly #attached = new Set<string>();
  #adoptedAt = Number.NEGATIVE_INFINITY;

  constructor(programs: Programs) {
    this.#programs = programs;
  }

  /** What is attached, as `role number`. */
  get places(): ReadonlySet<string> {
    return this.#attached;
  }

  /** Whether packets from outside are looked at. */
  get hasUplink(): boolean {
    return [...this.#attached].some((key) => key.startsWith('uplink '));
  }

  /** Takes over what a process before this one has attached, and puts away what is left of devices that have gone. */
  async adopt(now: number): Promise<void> {
    this.#adoptedAt = now;
    const places = await this.#programs.places();
    this.#attached.clear();
    for (const { role, ifindex, isGone } of places) {
      if (isGone) await this.#programs.detach(role, ifindex);
      else this.#attached.add(`${role} ${ifindex}`);
    }
  }

  /** Looks every now and then whether it is still so. `now` in milliseconds. */
  async review(now: number): Promise<void> {
    if (now - this.#adoptedAt >= REVIEW_MS) await this.adopt(now);
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
    for (const key of this.#attached) {
      const [word, number] = key.split(' ');
      const [role, ifindex] = [word === 'pod' ? 'pod' : 'uplink', Number(number)] as const;
      const isUsed = role === 'pod' ? used.pods.has(ifindex) : used.uplinks.has(ifindex) || used.pods.size > 0;
      if (isUsed && used.devices.has(ifindex)) continue;
      await this.#programs.detach(role, ifindex);
      this.#attached.delete(key);
    }
  }

  async #attachOne(role: Role, ifindex: number): Promise<void> {
    if (this.#attached.has(`${role} ${ifindex}`)) return;
    await this.#programs.attach(role, ifindex);
    this.#attached.add(`${role} ${ifindex}`);
  }
}
