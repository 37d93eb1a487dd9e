// An explanation as text for a terminal.

import { table } from '../lib/table.ts';
import type { ExplainedEndpoint, Explanation } from './explanation.ts';
import type { Outcome } from './flow/fate.ts';
import type { Packet } from './flow/packet.ts';
import type { TraceStep } from './ruleset/walk.ts';

const WORDS: Readonly<Record<Outcome, string>> = {
  forward: 'FORWARDED',
  refuse: 'REFUSED',
  drop: 'DROPPED',
  untouched: 'UNTOUCHED',
};

/** What will happen, to whom it leads, and the way through the kernel; where both differ, that comes first. */
export function printExplanation(explanation: Explanation): string {
  const { packet, outcome, reason, steps, endpoints, kernel, differences } = explanation;
  const alarm = ['!!! THE KERNEL DOES SOMETHING ELSE THAN IT SHOULD:', ...differences.map((text) => `!!! ${text}`)];
  const reasons = steps.filter((step) => !reason.endsWith(`: ${step}`)).map((step) => `  ${step}`);
  return [
    ...(differences.length > 0 ? [...alarm, ''] : []),
    printPacket(packet),
    `${WORDS[outcome]}: ${reason.replace(/^\S+(?: alone)?:? /, '')}`,
    ...reasons,
    ...(outcome === 'forward' ? [`  masquerade: ${masqueraded(endpoints)}`] : []),
    ...(endpoints.length === 0 ? [] : ['', printEndpoints(endpoints)]),
    ...printFastPath(explanation),
    '',
    `Through the kernel's ruleset: ${WORDS[kernel.outcome]}`,
    ...(kernel.steps.length === 0 ? ['  no rule of ours matches'] : printSteps(kernel.steps)),
  ].join('\n');
}

function printPacket({ source, destination, destinationPort, protocol, family, inInterface }: Packet): string {
  const target = family === 'ip6' ? `[${destination}]` : destination;
  const way = inInterface === undefined ? 'from this node itself' : `in by ${inInterface || 'an unknown interface'}`;
  return `${source} -> ${target}:${destinationPort}/${protocol}, ${way}`;
}

/** A flow that conntrack knows stays where it is, and so does one whose answers would take another way. */
function printFastPath({ fastPath }: Explanation): string[] {
  if (fastPath === undefined) return [];
  const { taken, reason } = fastPath;
  if (!taken) return ['', `Fast path: left to nft: ${reason}`];
  return [
    '',
    `Fast path: TAKEN, ${reason}`,
    '  unless conntrack knows the flow, or its answers would leave by another interface',
  ];
}

function masqueraded(endpoints: readonly ExplainedEndpoint[]): string {
  const used = endpoints.filter(({ masquerade }) => masquerade !== undefined);
  const hidden = used.filter(({ masquerade }) => masquerade === true);
  if (hidden.length === 0) return 'no: endpoints see the address of the client';
  if (hidden.length === used.length) return 'yes: endpoints see an address of this node';
  return `only towards ${hidden.map(({ endpoint }) => endpoint).join(', ')}`;
}

function printEndpoints(endpoints: readonly ExplainedEndpoint[]): string {
  const rows = endpoints.map(({ endpoint, node, share, masquerade, why }) => [
    endpoint,
    node || '-',
    masquerade === undefined ? '-' : `${(share * 100).toFixed(1)}%`,
    masquerade === undefined ? `out: ${why}` : `in: ${why}`,
  ]);
  return table(['ENDPOINT', 'NODE', 'SHARE', 'STATE'], rows);
}

function printSteps(steps: readonly TraceStep[]): string[] {
  return steps.flatMap(({ hook, chain, rule, element }, index) => [
    ...(steps[index - 1]?.hook === hook ? [] : [`  ${hook}`]),
    `    ${chain}: ${rule}`,
    ...(element === undefined ? [] : [`      found { ${element} }`]),
  ]);
}
