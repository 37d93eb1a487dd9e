// Reads the timeouts of flows, which are those of conntrack.

import { readFile } from 'node:fs/promises';
import type { Timeouts } from '../maps/entries.ts';

/** In seconds. Short for unanswered and closed flows, so that a flood does not fill the table. */
const FIXED = { tcpSyn: 10, tcpAnswered: 30, tcpClosed: 5, udpNew: 30, fragments: 30 };
const DEFAULT_ESTABLISHED = 432_000;
const DEFAULT_STREAM = 120;

/** Reads the kernel's settings, or returns the kernel's defaults if conntrack is not loaded. */
export async function readTimeouts(): Promise<Timeouts> {
  const [tcpEstablished, udpAnswered] = await Promise.all([
    read('tcp_timeout_established', DEFAULT_ESTABLISHED),
    read('udp_timeout_stream', DEFAULT_STREAM),
  ]);
  return { ...FIXED, tcpEstablished, udpAnswered };
}

async function read(name: string, defaultSeconds: number): Promise<number> {
  const text = await readFile(`/proc/sys/net/netfilter/nf_conntrack_${name}`, 'utf8').catch(() => '');
  const seconds = Number(text);
  return text !== '' && seconds > 0 ? seconds : defaultSeconds;
}
