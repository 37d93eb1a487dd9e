// The `explain` command: what becomes of a connection, and why.

import { openLive } from '../../admin/live.ts';
import type { Engine, KernelListing } from '../../engine/engine.ts';
import { explain } from '../../explain/explanation.ts';
import { type Host, interfaceTo, isOfHost, type Packet } from '../../explain/flow/packet.ts';
import { printExplanation } from '../../explain/print-explanation.ts';
import { createRuleset, type Ruleset } from '../../explain/ruleset/ruleset.ts';
import { readHost } from '../../host/network/host.ts';
import { CommandError, EXIT } from '../../lib/exit-status.ts';
import { familyOf, parseAddress } from '../../net/address.ts';
import type { Family } from '../../net/family.ts';
import { type Protocol, parseProtocol } from '../../net/protocol.ts';
import { Kernel } from '../../nftables/client/kernel.ts';
import { isLed, led } from '../../nftables/compile/led-chains.ts';
import type { Chain } from '../../nftables/syntax/statement.ts';
import type { InspectSettings } from './inspect.ts';

export interface ExplainSettings extends InspectSettings {
  /** A process of this node makes the connection. */
  readonly fromHost: boolean;
  /** The interface that the packet comes in by; without it, the one that leads to its source. */
  readonly inInterface: string | undefined;
}

/** `explain SOURCE DESTINATION:PORT[/PROTOCOL]`. */
export async function explainConnection(settings: ExplainSettings, source: string, target: string): Promise<number> {
  const host = await readHost();
  const packet = readPacket({ source, target }, settings, host);
  const kernel = new Kernel({ command: settings.nft });
  await kernel.check();
  const listing = await kernel.list();
  const { engine, fastPath } = await openLive(settings.source, listing);
  const ruleset = rulesetOf(engine, listing, packet.family);
  const told = explain(packet, { engine, ruleset, host, fastPath });
  const altered = alteredChains(ruleset, await kernel.ruleCounts());
  const explanation = { ...told, differences: [...told.differences, ...altered] };
  const text = settings.output === 'json' ? JSON.stringify(explanation, null, 2) : printExplanation(explanation);
  process.stdout.write(`${text}\n`);
  return EXIT.ok;
}

const TARGET = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})(?:\/([A-Za-z]+))?$/;

/** Throws {@link CommandError} with a usage status when the words are no connection. */
export function readPacket(
  { source: from, target }: { source: string; target: string },
  { fromHost, inInterface }: Pick<ExplainSettings, 'fromHost' | 'inInterface'>,
  host: Host,
): Packet {
  const [, bracketed, plain = '', port = '', name = 'tcp'] = TARGET.exec(target) ?? [];
  const source = parseAddress(from);
  const destination = parseAddress(bracketed ?? plain);
  const protocol = parseProtocol(name.toUpperCase());
  if (source === undefined) throw wrong(from, 'the source must be an IP address');
  if (destination === undefined) throw wrong(target, 'must be ADDRESS:PORT[/PROTOCOL], an IPv6 address in brackets');
  if (protocol === undefined) throw wrong(target, 'the protocol must be tcp, udp or sctp');
  if (Number(port) < 1 || Number(port) > 65535) throw wrong(target, 'the port must be from 1 to 65535');
  if (familyOf(source) !== familyOf(destination)) throw wrong(target, 'source and destination must be of one family');
  const isOwn = fromHost || (inInterface === undefined && isOfHost(host, source));
  return {
    ...{ family: familyOf(source), protocol, source, sourcePort: 40_000, destination, destinationPort: Number(port) },
    inInterface: isOwn ? undefined : (inInterface ?? interfaceTo(host, source) ?? ''),
  } satisfies Packet & { protocol: Protocol };
}

function wrong(text: string, reason: string): CommandError {
  return new CommandError(EXIT.usage, `Cannot explain "${text}": ${reason}`);
}

/** What the kernel holds. A chain that it has not is left out, one that nobody wants any more is told by its name. */
function rulesetOf(engine: Engine, { elements, chains: listed }: KernelListing, family: Family): Ruleset {
  const prefix = `${family} `;
  const wanted = new Map(engine.chains(family).chains.map((chain) => [chain.name, chain]));
  const names = listed.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  const chains = names.flatMap((name): Chain[] => {
    const chain = wanted.get(name);
    return chain === undefined ? forgotten(name, family, engine) : [chain];
  });
  const objects = [...elements].filter(([object]) => object.startsWith(prefix));
  const held = objects.map(([object, byKey]) => {
    const list = [...byKey].map(([key, { data, comment }]) => ({ key, data, comment }));
    return [object.slice(prefix.length), list] as const;
  });
  return createRuleset(family, chains, new Map(held));
}

/** Chains that hold another number of rules than we write: what somebody else did there is not in the trace. */
function alteredChains({ family, chains }: Ruleset, ruleCounts: ReadonlyMap<string, number>): string[] {
  const ofFamily = [...ruleCounts].filter(([target]) => target.startsWith(`${family} `));
  return ofFamily.flatMap(([target, count]) => {
    const name = target.slice(family.length + 1);
    const wanted = chains.get(name)?.rules.length;
    if (wanted === count) return [];
    if (wanted === undefined) return [`chain ${name} of the kernel is none that we write`];
    return [`chain ${name} of the kernel has ${count} rules instead of ${wanted}`];
  });
}

function forgotten(name: string, family: Family, engine: Engine): Chain[] {
  return isLed(name) && !name.startsWith('direct-sticky-') ? [...led(name, family, engine.node).chains] : [];
}
