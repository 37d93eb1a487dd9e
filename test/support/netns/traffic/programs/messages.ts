// The messages between tests, dialers and responders.

export type Transport = 'tcp' | 'udp';

/** The answer of a responder: its name, and the addresses that it sees. */
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
  /** The time limit for an answer. Default: 1 second. */
  readonly timeoutMs?: number;
  readonly sourceAddress?: string;
  /** The source port. Limits the number of concurrent connections to one. */
  readonly sourcePort?: number;
}

/** A number of new connections, or of datagrams from new sockets. */
export interface DialRequest extends Target {
  readonly count: number;
  /** The number of concurrent attempts. Default: 16. */
  readonly concurrency?: number;
}

/** New connections at a constant rate until stopped. */
export interface DialRateRequest extends Target {
  readonly perSecond: number;
}

/** Repeated requests on one socket until stopped. */
export interface KeepConnectionRequest extends Target {
  /** The delay between an answer and the next request. Default: 20 ms. */
  readonly everyMs?: number;
  /** What happens after a failure. Default: the next request uses the same socket. */
  readonly onFailure?: 'reopen';
}

/** An attempt without an answer. */
export interface Failure {
  /** When the attempt began, in milliseconds of the system's clock. */
  readonly at: number;
  readonly code: string;
}

/** Counts of outcomes. `answered + refused + timedOut + the sum of errors = attempts`. */
export interface DialReport {
  readonly attempts: number;
  readonly answered: number;
  /** Answers by pod. */
  readonly pods: Readonly<Record<string, number>>;
  readonly refused: number;
  readonly timedOut: number;
  /** Other failures by error code. */
  readonly errors: Readonly<Record<string, number>>;
  /** The first failures, at most 10,000. */
  readonly failures: readonly Failure[];
  /** The client addresses that the servers saw, sorted. */
  readonly clients: readonly string[];
  /** Latency of the answers; 0 without answers. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The commands of the dialer program, one JSON document per line. Replies have the same ID. */
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
