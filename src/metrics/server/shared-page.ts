// Computes a page once for all requests that wait for it, and bounds the time that is spent on it.

import { setTimeout as delay } from 'node:timers/promises';

/** Of the time that the last computation took: at most a fifth of a core is spent on a page, however often it is requested. */
const REST_FACTOR = 4;
const MAX_REST_MS = 1_000;

/** Every request gets a page that was computed after its arrival. */
export class SharedPage {
  readonly #compute: () => Promise<string>;
  #rest: Promise<unknown> = Promise.resolve();
  #next: Promise<string> | undefined;

  constructor(compute: () => Promise<string>) {
    this.#compute = compute;
  }

  /** Rejects like the computation. */
  get(): Promise<string> {
    this.#next ??= this.#rest.then(() => this.#start());
    return this.#next;
  }

  #start(): Promise<string> {
    this.#next = undefined;
    const startedAt = performance.now();
    const page = this.#compute();
    const rest = () => delay(Math.min(MAX_REST_MS, REST_FACTOR * (performance.now() - startedAt)));
    this.#rest = page.then(rest, rest);
    return page;
  }
}
