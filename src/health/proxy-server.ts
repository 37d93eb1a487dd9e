// The server that says how the daemon is: /healthz for load balancers, /livez for the kubelet.

import type { Log } from '../host/log.ts';
import { reasonOf } from '../lib/reason.ts';
import { type BindAddress, printBindAddress } from '../net/bind-address.ts';
import { type Answer, HttpListener } from './http-listener.ts';
import { type HealthPath, type ProxyState, proxyAnswer } from './proxy-answers.ts';

export interface ProxyServerOptions {
  readonly address: BindAddress;
  readonly state: () => ProxyState;
  /** Told of each answer, for counters. */
  readonly onAnswer?: ((path: HealthPath, status: number) => void) | undefined;
  /** Where it cannot listen, `open` rejects, instead of trying again and again. */
  readonly hardFail: boolean;
  /** The pause before it tries again. */
  readonly retryMs?: number;
  readonly log: Log;
}

const RETRY_MS = 5_000;
const NOT_FOUND: Answer = { status: 404, headers: { 'Content-Type': 'text/plain' }, body: '404 page not found\n' };

/** Answers from `open` to `close`, also while nothing is known yet. */
export class ProxyServer {
  readonly #options: ProxyServerOptions;
  readonly #listener: HttpListener;
  #timer: NodeJS.Timeout | undefined;
  /** The failure that was told last: the same one is not told again. */
  #told = '';
  #closed = false;

  constructor(options: ProxyServerOptions) {
    this.#options = options;
    this.#listener = new HttpListener({ ...options.address, ipv6Only: false, answer: (path) => this.#answer(path) });
  }

  /** Resolves after the first attempt. Rejects with a `ListenError` only when the server must listen and cannot. */
  async open(): Promise<void> {
    const { address, hardFail, retryMs = RETRY_MS, log } = this.#options;
    try {
      await this.#listener.open();
      if (this.#told !== '') log.info('health is answered after all', { address: printBindAddress(address) });
    } catch (error) {
      if (hardFail) throw error;
      if (this.#closed) return;
      const reason = reasonOf(error);
      if (reason !== this.#told) log.error('health is not answered', { reason, retryInMs: retryMs });
      this.#told = reason;
      this.#timer = setTimeout(() => void this.open(), retryMs);
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#listener.close();
  }

  #answer(path: string): Answer {
    if (path !== '/healthz' && path !== '/livez') return NOT_FOUND;
    const answer = proxyAnswer(path, this.#options.state());
    this.#options.onAnswer?.(path, answer.status);
    return answer;
  }
}
