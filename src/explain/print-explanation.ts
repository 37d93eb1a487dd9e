// An explanation as text for a terminal.

import { formatTable } from '../lib/table.ts';
import { printAddressPort } from '../net/address-port.ts';
import type { ExplainedEndpoint, Explanation } from './explanation.ts';
import type { Outcome } from './flow/flow-outcome.ts';
import type { Packet } from './flow/packet.ts';
import type { TraceStep } from './ruleset/walk.ts';

const OUTCOME_LABELS: Readonly<Record<Outcome, string>> = {
  forward: 'FORWARDED',
  refuse: 'REFUSED',
  drop: 'DROPPED',
  untouched: 'UNTOUCHED',
};

/** What will happen, to whom it leads, and the way through the kernel; where both differ, that comes first. */
export function printExplanation(explanation: Explanation): string {
  const { packet, outcome, reason, steps, endpoints, kernel, differences } = explanation;
  const warning = ['!!! THE KERNEL DOES SOMETHING ELSE THAN IT SHOULD:', ...differences.map((text) => `!!! ${text}`)];
  const reasons = steps.filter((step) => step !== reason).map((step) => `  ${step}`);
  return [
    ...(differences.length > 0 ? [...warning, ''] : []),
    printPacket(packet),
    `${OUTCOME_LABELS[outcome]}: ${reason}`,
    ...reasons,
    ...(outcome === 'forward' ? [`  masquerade: ${describeMasquerade(endpoints)}`] : []),
    ...(endpoints.length === 0 ? [] : ['', printEndpoints(endpoints)]),
    ...printFastPath(explanation),
    '',
    `Through the kernel's ruleset: ${OUTCOME_LABELS[kernel.outcome]}`,
    ...(kernel.steps.length === 0 ? ['  no rule of ours matches'] : printSteps(kernel.steps)),
  ].join('\n');
}

function printPacket({ source, destination, destinationPort, protocol, inInterface }: Packet): string {
  const target = printAddressPort({ address: destination, port: destinationPort });
  const origin = inInterface === undefined ? 'from this node itself' : `in by ${inInterface || 'an unknown interface'}`;
  return `${source} -> ${target}/${protocol}, ${origin}`;
}

/** A flow that conntrack knows stays where it is, and so does one whose answers would take another way. */
function printFastPath({ fastPath }: Explanation): string[] {
  if (fastPath === undefined) return [];
  const { eligible, reason } = fastPath;
  if (!eligible) return ['', `Fast path: left to nft: ${reason}`];
  return [
    '',
    `Fast path: TAKEN, ${reason}`,
    '  unless conntrack knows the flow, or its answers would leave by another interface',
  ];
}

function describeMasquerade(endpoints: readonly ExplainedEndpoint[]): string {
  const used = endpoints.filter(({ masquerade }) => masquerade !== undefined);
  const masqueraded = used.filter(({ masquerade }) => masquerade === true);
  if (masqueraded.length === 0) return 'no: endpoints see the address of the client';
  if (masqueraded.length === used.length) return 'yes: endpoints see an address of this node';
  return `only towards ${masqueraded.map(({ endpoint }) => endpoint).join(', ')}`;
}

function printEndpoints(endpoints: readonly ExplainedEndpoint[]): string {
  const rows = endpoints.map(({ endpoint, node, share, masquerade, reason }) => [
    endpoint,
    node || '-',
    masquerade === undefined ? '-' : `${(share * 100).toFixed(1)}%`,
    masquerade === undefined ? `out: ${reason}` : `in: ${reason}`,
  ]);
  return formatTable(['ENDPOINT', 'NODE', 'SHARE', 'STATE'], rows);
}

function printSteps(steps: readonly TraceStep[]): string[] {
  return steps.flatMap(({ hook, chain, rule, element }, index) => [
    ...(steps[index - 1]?.hook === hook ? [] : [`  ${hook}`]),
    `    ${chain}: ${rule}`,
    ...(element === undefined ? [] : [`      found { ${element} }`]),
  ]);
}
