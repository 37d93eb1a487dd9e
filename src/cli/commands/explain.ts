// The `explain` command: what becomes of a connection, and why.

import { loadDesiredState } from '../../admin/desired-state.ts';
import type { Engine, KernelListing } from '../../engine/engine.ts';
import { explain } from '../../explain/explanation.ts';
import type { Packet } from '../../explain/flow/packet.ts';
import { printExplanation } from '../../explain/print-explanation.ts';
import { createRuleset, type Ruleset } from '../../explain/ruleset/ruleset.ts';
import { readHost } from '../../host/network/read-host.ts';
import { CommandError, EXIT } from '../../lib/exit-status.ts';
import { familyOf, parseAddress } from '../../net/address.ts';
import { parseAddressPort } from '../../net/address-port.ts';
import type { Family } from '../../net/family.ts';
import { type Host, isHostAddress, outputInterface } from '../../net/host.ts';
import { type Protocol, parseProtocol } from '../../net/protocol.ts';
import { NftClient } from '../../nftables/client/nft-client.ts';
import { endpointChain, isEndpointChain } from '../../nftables/compile/endpoint-chains.ts';
import type { Chain } from '../../nftables/syntax/statement.ts';
import type { InspectOptions } from './inspect.ts';

export interface ExplainOptions extends InspectOptions {
  /** A process of this node makes the connection. */
  readonly fromHost: boolean;
  /** The interface that the packet comes in by; without it, the one that leads to its source. */
  readonly inInterface: string | undefined;
}

/** `explain SOURCE DESTINATION:PORT[/PROTOCOL]`. */
export async function explainConnection(options: ExplainOptions, source: string, target: string): Promise<number> {
  const host = await readHost();
  const packet = parsePacket({ source, target }, options, host);
  const nftClient = new NftClient({ command: options.nft });
  await nftClient.check();
  const listing = await nftClient.list();
  const { engine, fastPath } = await loadDesiredState(options.source, listing);
  const ruleset = buildRuleset(engine, listing, packet.family);
  const explained = explain(packet, { engine, ruleset, host, fastPath });
  const mismatches = ruleCountMismatches(ruleset, await nftClient.ruleCounts());
  const explanation = { ...explained, differences: [...explained.differences, ...mismatches] };
  const text = options.output === 'json' ? JSON.stringify(explanation, null, 2) : printExplanation(explanation);
  process.stdout.write(`${text}\n`);
  return EXIT.ok;
}

/** Throws {@link CommandError} with a usage status when the words are no connection. */
export function parsePacket(
  { source: sourceText, target }: { source: string; target: string },
  { fromHost, inInterface }: Pick<ExplainOptions, 'fromHost' | 'inInterface'>,
  host: Host,
): Packet {
  const [addressPort = '', name = 'tcp', ...rest] = target.split('/');
  const source = parseAddress(sourceText);
  const { address: destination, port } = parseAddressPort(addressPort, 0) ?? { port: 0 };
  const protocol = parseProtocol(name.toUpperCase());
  if (source === undefined) throw usageError(sourceText, 'the source must be an IP address');
  if (destination === undefined || port === 0 || rest.length > 0)
    throw usageError(
      target,
      'must be ADDRESS:PORT[/PROTOCOL]; an IPv6 address needs brackets, and the port must be from 1 to 65535',
    );
  if (protocol === undefined) throw usageError(target, 'the protocol must be tcp, udp or sctp');
  if (familyOf(source) !== familyOf(destination))
    throw usageError(target, 'source and destination must be of one family');
  const isLocal = fromHost || (inInterface === undefined && isHostAddress(host, source));
  return {
    ...{ family: familyOf(source), protocol, source, sourcePort: 40_000, destination, destinationPort: port },
    inInterface: isLocal ? undefined : (inInterface ?? outputInterface(host, source) ?? ''),
  } satisfies Packet & { protocol: Protocol };
}

function usageError(text: string, reason: string): CommandError {
  return new CommandError(EXIT.usage, `Cannot explain "${text}": ${reason}`);
}

/** What the kernel holds. A chain that it has not is left out, one that nobody wants any more is told by its name. */
function buildRuleset(engine: Engine, { elements, chains: listedChains }: KernelListing, family: Family): Ruleset {
  const prefix = `${family} `;
  const desired = new Map(engine.chains(family).chains.map((chain) => [chain.name, chain]));
  const names = listedChains.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  const chains = names.flatMap((name): Chain[] => {
    const chain = desired.get(name);
    return chain === undefined ? endpointChainIfStale(name, family, engine) : [chain];
  });
  const objects = [...elements].filter(([object]) => object.startsWith(prefix));
  const elementsByObject = objects.map(([object, byKey]) => {
    const list = [...byKey].map(([key, { data, comment }]) => ({ key, data, comment }));
    return [object.slice(prefix.length), list] as const;
  });
  return createRuleset(family, chains, new Map(elementsByObject));
}

/** Chains that hold another number of rules than we write: what somebody else did there is not in the trace. */
function ruleCountMismatches({ family, chains }: Ruleset, ruleCounts: ReadonlyMap<string, number>): string[] {
  const ofFamily = [...ruleCounts].filter(([target]) => target.startsWith(`${family} `));
  return ofFamily.flatMap(([target, count]) => {
    const name = target.slice(family.length + 1);
    const expected = chains.get(name)?.rules.length;
    if (expected === count) return [];
    if (expected === undefined) return [`chain ${name} of the kernel is none that we write`];
    return [`chain ${name} of the kernel has ${count} rules instead of ${expected}`];
  });
}

function endpointChainIfStale(name: string, family: Family, engine: Engine): Chain[] {
  return isEndpointChain(name) && !name.startsWith('direct-affinity-')
    ? [...endpointChain(name, family, engine.node).chains]
    : [];
}
