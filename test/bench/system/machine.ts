// Describes the machine of the measurements.

import { cpus, release, totalmem } from 'node:os';
import { output } from '../../support/netns/process.ts';

export async function describeMachine(): Promise<Record<string, string>> {
  const nft = await output('nft', ['--version']);
  const [cpu] = cpus();
  return {
    cpu: `${cpus().length} x ${cpu?.model.trim() ?? 'unknown'}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
    kernel: release(),
    nft: /v(\S+)/.exec(nft)?.[1] ?? nft.trim(),
    node: process.version,
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
  };
}
