// The command `explain`.

import type { Command } from 'commander';
import type { CommandStatus } from '../../admin/command-status.ts';
import { loadDesiredState } from '../../admin/desired-state.ts';
import { explainInKernel, toChainListing } from '../../admin/explain-in-kernel.ts';
import { openNftClient } from '../../admin/kernel-state.ts';
import {
  describeMasqueradeSources,
  type MasqueradedEndpoint,
  masqueradeSources,
} from '../../admin/masquerade-sources.ts';
import { isOffline, offlineStatus } from '../../admin/offline.ts';
import { type Explanation, explainByServices } from '../../explain/explanation.ts';
import type { Packet } from '../../explain/flow/packet.ts';
import { printExplanation } from '../../explain/print-explanation.ts';
import { readHost } from '../../host/network/read-host.ts';
import { hostSystem } from '../../host/process/system.ts';
import { OperationalError } from '../../lib/operational-error.ts';
import { familyOf, parseAddress } from '../../net/address.ts';
import { parseAddressPort } from '../../net/address-port.ts';
import { type Host, isHostAddress, outputInterface } from '../../net/host.ts';
import { type Protocol, parseProtocol } from '../../net/protocol.ts';
import { NftProgram } from '../../nftables/client/nft-program.ts';
import { desiredStateSource, type InspectFlags, withInspectFlags } from '../flags/inspect-flags.ts';
import { printJson, printWithStatus } from '../output/print.ts';

const HELP = `
CLIENT is an IP address, and DESTINATION is ADDRESS:PORT[/PROTOCOL] with tcp (the default), udp or sctp.
The outcome is FORWARDED, REFUSED, DROPPED or UNTOUCHED (no Service is involved); the exit status is 0 in each case.
IPv6: nftlane explain fd00::5 '[fd00:30::10]:80'. Rules and elements are read from the kernel, with the
tables of other programs that the packet traverses. Rules that cannot be evaluated and may change the outcome are listed.
Session affinity is not followed, but an
entry of the client with another endpoint is listed.`;

interface ExplainFlags extends InspectFlags {
  readonly fromHost: boolean;
  readonly interface?: string;
}

export function addExplain(program: Command): void {
  withInspectFlags(program.command('explain <client> <destination>'))
    .description('show where a connection goes and why: explain 10.1.1.5 172.30.0.10:80/tcp')
    .option('--from-host', 'the client is a process on this node', false)
    .option('-i, --interface <name>', 'input interface (default: the interface of the route to the source)')
    .addHelpText('after', HELP)
    .action((source: string, target: string, flags: ExplainFlags) => explainConnection({ source, target }, flags));
}

/** The two ends of a connection as given on the command line. */
interface ConnectionText {
  readonly source: string;
  /** ADDRESS:PORT[/PROTOCOL] */
  readonly target: string;
}

async function explainConnection(connection: ConnectionText, flags: ExplainFlags): Promise<void> {
  const host = await readHost();
  const packet = parsePacket(connection, { fromHost: flags.fromHost, inInterface: flags.interface }, host);
  await openNftClient(flags.nft);
  const program = new NftProgram({ command: flags.nft });
  let tables = await program.listRuleset();
  const destination = { address: packet.destination, port: packet.destinationPort };
  const source = { ...desiredStateSource(flags), destination };
  const { engine, fastPath, issues, status } = await loadDesiredState(source, toChainListing(tables));
  if (await isOffline(flags, tables)) {
    const { explanation } = explainByServices(packet, { engine, host, issues });
    const isInterfaceAssumed = packet.inInterface !== undefined && flags.interface === undefined;
    printResult(offlineStatus(status), { ...explanation, isInterfaceAssumed }, flags);
    return;
  }
  const kernel = { engine, host, fastPath, issues, program };
  let explanation = await explainInKernel(packet, tables, kernel);
  // The daemon may have changed the ruleset between two listings.
  if (explanation.differences.length > 0) {
    tables = await program.listRuleset();
    explanation = await explainInKernel(packet, tables, kernel);
  }
  const masqueraded = explanation.kernel.destinations.filter(({ masquerade }) => masquerade);
  // Without `ip`, the addresses stay unknown.
  const found = await masqueradeSources(
    masqueraded.map(({ address }) => address),
    hostSystem,
  ).catch(() => []);
  const steps = [...explanation.steps, ...describeMasqueradeSources(found)];
  printResult(status, { ...explanation, steps, masqueradeSources: found }, flags);
}

function printResult(
  status: CommandStatus,
  explanation: Explanation & { readonly masqueradeSources?: readonly MasqueradedEndpoint[] },
  { output }: Pick<ExplainFlags, 'output'>,
): void {
  if (output === 'json') printJson({ status, ...explanation });
  else printWithStatus(status, printExplanation(explanation));
}

interface PacketOrigin {
  /** The client is a process on this node. */
  readonly fromHost: boolean;
  /** The input interface; by default the interface of the route to the source. */
  readonly inInterface: string | undefined;
}

/** Parses a connection. Throws an {@link OperationalError} of kind `usage` if the text is invalid. */
export function parsePacket(
  { source: sourceText, target }: ConnectionText,
  { fromHost, inInterface }: PacketOrigin,
  host: Host,
): Packet {
  const [addressPort = '', name = 'tcp', ...rest] = target.split('/');
  const source = parseAddress(sourceText);
  const { address: destination, port } = parseAddressPort(addressPort, 0) ?? { port: 0 };
  const protocol = parseProtocol(name.toUpperCase());
  if (source === undefined) throw usageError(sourceText, 'the client must be an IP address');
  if (destination === undefined || port === 0 || rest.length > 0)
    throw usageError(
      target,
      'must be ADDRESS:PORT[/PROTOCOL]; an IPv6 address needs brackets, and the port must be from 1 to 65535',
    );
  if (protocol === undefined) throw usageError(target, 'the protocol must be tcp, udp or sctp');
  if (familyOf(source) !== familyOf(destination))
    throw usageError(target, 'client and destination must have the same address family');
  const isLocal = fromHost || (inInterface === undefined && isHostAddress(host, source));
  return {
    ...{ family: familyOf(source), protocol, source, sourcePort: 40_000, destination, destinationPort: port },
    inInterface: isLocal ? undefined : (inInterface ?? outputInterface(host, source) ?? ''),
  } satisfies Packet & { protocol: Protocol };
}

function usageError(text: string, reason: string): OperationalError {
  return new OperationalError('usage', `Cannot explain "${text}": ${reason}`);
}
