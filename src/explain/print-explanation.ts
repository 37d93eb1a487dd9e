// Prints an explanation for a terminal.

import { joinLines } from '../lib/printable.ts';
import { formatTable } from '../lib/table.ts';
import { printDestination } from '../net/address-port.ts';
import type { ExplainedEndpoint, Explanation } from './explanation.ts';
import type { Outcome } from './flow/flow-outcome.ts';
import type { TraceStep } from './trace/walk-result.ts';

const OUTCOME_LABELS: Readonly<Record<Outcome, string>> = {
  forward: 'FORWARDED',
  refuse: 'REFUSED',
  drop: 'DROPPED',
  untouched: 'UNTOUCHED',
};

/** The outcome with its reasons, the endpoints, and the path through the kernel's rules. Differences come first. */
export function printExplanation(explanation: Explanation): string {
  const { outcome, reason, steps, endpoints, differences } = explanation;
  const warning = ['warning: the kernel differs from the expected outcome:', ...differences.map((text) => `  ${text}`)];
  const reasons = steps.filter((step) => step !== reason).map((step) => `  ${step}`);
  return joinLines([
    ...(differences.length > 0 ? [...warning, ''] : []),
    printPacket(explanation),
    `${OUTCOME_LABELS[outcome]}: ${reason}`,
    ...reasons,
    ...(endpoints.length === 0 ? [] : ['', ...printEndpoints(endpoints)]),
    ...printFastPath(explanation),
    ...printKernel(explanation),
  ]);
}

function printPacket({ packet, isInterfaceAssumed = false }: Explanation): string {
  const { source, destination, destinationPort, protocol, inInterface } = packet;
  const target = printDestination({ address: destination, port: destinationPort, protocol });
  const assumption = isInterfaceAssumed ? ' (assumed, by the routes of this machine)' : '';
  const origin =
    inInterface === undefined ? 'sent by this node' : `received on ${inInterface || 'an unknown interface'}`;
  return `${source} -> ${target}, ${origin}${assumption}`;
}

function printKernel({ kernel }: Explanation): string[] {
  if (kernel === undefined) return [];
  return [
    '',
    `Kernel ruleset: ${OUTCOME_LABELS[kernel.outcome]}${kernel.concerns.length > 0 ? ', unless another rule changes it' : ''}`,
    ...(kernel.steps.length === 0 ? ['  no rule of nftlane matches'] : printSteps(kernel.steps)),
  ];
}

function printFastPath({ fastPath }: Explanation): string[] {
  if (fastPath === undefined) return [];
  const { eligible, reason } = fastPath;
  if (!eligible) return ['', `Fast path: SKIPPED: ${reason}`];
  return [
    '',
    `Fast path: USED: ${reason}`,
    '  except for flows in conntrack, and if replies leave through another interface',
  ];
}

function printEndpoints(endpoints: readonly ExplainedEndpoint[]): string[] {
  const rows = endpoints.map(({ endpoint, node, share, masquerade, reason }) => [
    endpoint,
    node || '-',
    masquerade === undefined ? '-' : `${(share * 100).toFixed(1)}%`,
    masquerade === undefined ? `unused: ${reason}` : `used: ${reason}`,
  ]);
  return formatTable(['ENDPOINT', 'NODE', 'SHARE', 'STATE'], rows).split('\n');
}

function printSteps(steps: readonly TraceStep[]): string[] {
  return steps.flatMap(({ hook, chain, rule, element }, index) => [
    ...(steps[index - 1]?.hook === hook ? [] : [`  ${hook}`]),
    `    ${chain}: ${rule}`,
    ...(element === undefined ? [] : [`      element { ${element} }`]),
  ]);
}
