// What kube-proxy leaves in its ipvs mode: virtual servers, an interface that holds their addresses, and ipsets.
import * as z from 'zod/mini';
import { ExecError, type ExecResult } from '../host/process/exec.ts';
import { type Address, parseAddress } from '../net/address.ts';
import { ipvsadmArgs, parseVirtualServers, type VirtualServer } from './ipvs-virtual-servers.ts';
import { isKubeProxyIpset } from './kube-proxy-chains.ts';
import {
  type FindResult,
  failureMessage,
  type LeftoverCleaner,
  pluralize,
  type RemovalResult,
  type System,
} from './leftover-cleaner.ts';

const IPVS_INTERFACE = 'kube-ipvs0';

/**
 * Virtual servers at an address of the interface are kube-proxy's, and so are those at a node port, which its ipsets name.
 * All others are somebody else's.
 *
 * A connection through IPVS ends when its virtual server goes, for IPVS drops packets to a destination that is no more. New
 * flows to Services never get there once our tables are complete: they are translated before the kernel decides that their
 * destination is local, which is where IPVS takes them. So {@link countConnections} can be waited for.
 */
export class IpvsCleaner implements LeftoverCleaner {
  readonly #system: System;

  constructor(system: System) {
    this.#system = system;
  }

  /** How many connections still go through virtual servers of kube-proxy's. */
  async countConnections(): Promise<number> {
    return (await this.#virtualServers()).reduce((sum, server) => sum + server.connections, 0);
  }

  async find(): Promise<FindResult> {
    const [servers, hasInterface, sets] = await Promise.all([
      this.#virtualServers(),
      this.#hasInterface(),
      this.#ipsets(),
    ]);
    return {
      leftovers: [
        ...(servers.length > 0 ? [`ipvs: ${pluralize(servers.length, 'virtual server')}`] : []),
        ...(hasInterface ? [`ipvs: the interface ${IPVS_INTERFACE}`] : []),
        ...(sets.length > 0 ? [`ipvs: ${pluralize(sets.length, 'ipset')}`] : []),
      ],
      failures: [],
    };
  }

  /** To be called when no iptables rule asks for the ipsets any more. */
  async remove(): Promise<RemovalResult> {
    const removed: string[] = [];
    const obstacles: string[] = [];
    const record = (item: string | undefined, failure: string | undefined) => {
      if (failure !== undefined) obstacles.push(failure);
      else if (item !== undefined) removed.push(item);
    };
    const [servers, sets] = [await this.#virtualServers(), await this.#ipsets()];
    if (servers.length > 0) {
      record(`ipvs: ${pluralize(servers.length, 'virtual server')}`, await this.#removeServers(servers));
    }
    if (await this.#hasInterface()) {
      record(
        `ipvs: the interface ${IPVS_INTERFACE}`,
        await this.#runRequired('ip', ['link', 'delete', IPVS_INTERFACE]),
      );
    }
    for (const set of sets) {
      const failure = await this.#runRequired('ipset', ['destroy', set]);
      if (failure !== undefined) obstacles.push(failure);
    }
    if (sets.length > 0 && obstacles.length === 0) removed.push(`ipvs: ${pluralize(sets.length, 'ipset')}`);
    return { removed, kept: [], failures: obstacles };
  }

  /** All at once where nobody else has any. */
  async #removeServers(servers: readonly VirtualServer[]): Promise<string | undefined> {
    const all = await this.#system.read('/proc/net/ip_vs');
    const hasOthers = parseVirtualServers(all).length > servers.length || /^FWM/m.test(all);
    if (!hasOthers) return this.#runRequired('ipvsadm', ['--clear']);
    for (const server of servers) {
      const failure = await this.#runRequired('ipvsadm', ['--delete-service', ...ipvsadmArgs(server)]);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  async #virtualServers(): Promise<VirtualServer[]> {
    const servers = parseVirtualServers(await this.#system.read('/proc/net/ip_vs'));
    if (servers.length === 0) return [];
    const [addresses, nodePorts] = [new Set(await this.#addresses()), await this.#nodePorts()];
    return servers.filter(
      ({ address, protocol, port }) => addresses.has(address) || nodePorts.has(`${protocol} ${port}`),
    );
  }

  async #hasInterface(): Promise<boolean> {
    return new RegExp(`^ *${IPVS_INTERFACE}:`, 'm').test(await this.#system.read('/proc/net/dev'));
  }

  /** The interface is down, so that only `ip` tells its addresses. */
  async #addresses(): Promise<Address[]> {
    if (!(await this.#hasInterface())) return [];
    const { status, stdout } = await this.#system.run('ip', ['-json', 'address', 'show', 'dev', IPVS_INTERFACE]);
    if (status !== 0) return [];
    const links = LINKS.parse(JSON.parse(stdout));
    return links.flatMap((link) => link.addr_info.flatMap(({ local }) => parseAddress(local) ?? []));
  }

  /** `TCP 30080` for each node port, from the ipsets that hold them. */
  async #nodePorts(): Promise<Set<string>> {
    const ports = new Set<string>();
    for (const set of await this.#ipsets()) {
      const [, protocol] = /^KUBE-(?:6-)?NODE-PORT-(?:LOCAL-)?(TCP|UDP|SCTP)/.exec(set) ?? [];
      if (protocol === undefined) continue;
      const { stdout } = await this.#system.run('ipset', ['save', set]);
      // Members of a bitmap are ports, those of a hash are addresses with protocol and port.
      for (const [, port] of stdout.matchAll(/^add \S+ (?:\S+,(?:sctp:)?)?(\d+)/gm)) ports.add(`${protocol} ${port}`);
    }
    return ports;
  }

  async #ipsets(): Promise<string[]> {
    const listed = await this.#runIfInstalled('ipset', ['list', '-name']);
    return listed === undefined || listed.status !== 0 ? [] : listed.stdout.split('\n').filter(isKubeProxyIpset);
  }

  /** Runs a program that has to succeed. Returns what stood in its way. */
  async #runRequired(command: string, args: readonly string[]): Promise<string | undefined> {
    const result = await this.#runIfInstalled(command, args);
    if (result === undefined) {
      return `Cannot remove what kube-proxy's ipvs mode has left: ${command} is not there (install the package ${PACKAGES[command]})`;
    }
    return result.status === 0 ? undefined : `Cannot run "${[command, ...args].join(' ')}": ${failureMessage(result)}`;
  }

  /** `undefined` when there is no such program. */
  async #runIfInstalled(command: string, args: readonly string[]): Promise<ExecResult | undefined> {
    try {
      return await this.#system.run(command, args);
    } catch (error) {
      if (error instanceof ExecError && error.kind === 'not-found') return undefined;
      throw error;
    }
  }
}

const PACKAGES: Readonly<Record<string, string>> = { ip: 'iproute2', ipset: 'ipset', ipvsadm: 'ipvsadm' };
const LINKS = z.array(z.object({ addr_info: z.array(z.object({ local: z.string() })) }));
