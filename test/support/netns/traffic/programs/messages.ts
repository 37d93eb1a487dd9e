// What dialers and responders tell each other and the tests.

export type Transport = 'tcp' | 'udp';

/** What a responder answers: who it is and what it sees. */
export interface Answer {
  readonly pod: string;
  readonly client: string;
  readonly clientPort: number;
  readonly local: string;
  readonly localPort: number;
}

export interface Target {
  readonly protocol: Transport;
  readonly address: string;
  readonly port: number;
  /** How long to wait for an answer. Default: 1 second. */
  readonly timeoutMs?: number;
  readonly sourceAddress?: string;
  /** Bind to this port. One connection at a time then. */
  readonly sourcePort?: number;
}

/** A number of new connections, or of datagrams with a new socket each. */
export interface DialRequest extends Target {
  readonly count: number;
  /** How many are under way at a time. Default: 16. */
  readonly concurrency?: number;
}

/** New connections at a rate until stopped. */
export interface DialRateRequest extends Target {
  readonly perSecond: number;
}

/** One socket that asks again and again until stopped. */
export interface KeepConnectionRequest extends Target {
  /** The pause between an answer and the next question. Default: 20 ms. */
  readonly everyMs?: number;
}

/** Outcomes counted. `answered + refused + timedOut + the sum of errors = attempts`. */
export interface DialReport {
  readonly attempts: number;
  readonly answered: number;
  /** Answers by the name of the pod. */
  readonly pods: Readonly<Record<string, number>>;
  readonly refused: number;
  readonly timedOut: number;
  /** Other failures by error code. */
  readonly errors: Readonly<Record<string, number>>;
  /** The distinct client addresses that the servers saw, sorted. */
  readonly clients: readonly string[];
  /** From the start to the answer; 0 without answers. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The orders a dialer process takes, one JSON document a line, and answers with the same id. */
export type DialerCommand =
  | { readonly id: number; readonly kind: 'dial'; readonly request: DialRequest }
  | { readonly id: number; readonly kind: 'dial-at-rate'; readonly request: DialRateRequest }
  | { readonly id: number; readonly kind: 'keep-connection'; readonly request: KeepConnectionRequest }
  | { readonly id: number; readonly kind: 'snapshot' | 'stop'; readonly task: number };

export interface DialerReply {
  readonly id: number;
  readonly report?: DialReport;
  readonly failure?: string;
}
