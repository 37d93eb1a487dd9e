// Leftovers of kube-proxy's ipvs mode: virtual servers, an interface with their addresses, and ipsets.

import * as z from 'zod/mini';
import { ExecError, type ExecResult } from '../host/process/exec.ts';
import { SHORT_TIMEOUT_MS, type System } from '../host/process/system.ts';
import { type Address, parseAddress } from '../net/address.ts';
import { ipvsadmArgs, parseVirtualServers, type VirtualServer } from './ipvs-virtual-servers.ts';
import { isKubeProxyIpset } from './kube-proxy-chains.ts';
import {
  type FindResult,
  failureMessage,
  type LeftoverCleaner,
  pluralize,
  type RemovalResult,
} from './leftover-cleaner.ts';

const IPVS_INTERFACE = 'kube-ipvs0';

/**
 * kube-proxy owns the virtual servers at addresses of its interface, and those at node ports, which its ipsets list. All
 * others are foreign.
 *
 * Removing a virtual server breaks its connections: IPVS drops packets to a destination that no longer exists. Once the
 * tables of nftlane are complete, new flows to Services bypass IPVS: nftlane translates them in prerouting, before the input
 * hook where IPVS handles packets. So {@link countConnections} reaches 0 eventually.
 */
export class IpvsCleaner implements LeftoverCleaner {
  readonly #system: System;

  constructor(system: System) {
    this.#system = system;
  }

  /** The number of connections through virtual servers of kube-proxy. */
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
        ...(hasInterface ? [`ipvs: interface ${IPVS_INTERFACE}`] : []),
        ...(sets.length > 0 ? [`ipvs: ${pluralize(sets.length, 'ipset')}`] : []),
      ],
      failures: [],
    };
  }

  /** Call this after removing the iptables rules that use the ipsets. */
  async remove(): Promise<RemovalResult> {
    const removed: string[] = [];
    const failures: string[] = [];
    const record = (item: string | undefined, failure: string | undefined) => {
      if (failure !== undefined) failures.push(failure);
      else if (item !== undefined) removed.push(item);
    };
    const [servers, sets] = [await this.#virtualServers(), await this.#ipsets()];
    if (servers.length > 0) {
      record(`ipvs: ${pluralize(servers.length, 'virtual server')}`, await this.#removeServers(servers));
    }
    if (await this.#hasInterface()) {
      record(`ipvs: interface ${IPVS_INTERFACE}`, await this.#runRequired('ip', ['link', 'delete', IPVS_INTERFACE]));
    }
    for (const set of sets) {
      const failure = await this.#runRequired('ipset', ['destroy', set]);
      if (failure !== undefined) failures.push(failure);
    }
    if (sets.length > 0 && failures.length === 0) removed.push(`ipvs: ${pluralize(sets.length, 'ipset')}`);
    return { removed, kept: [], failures };
  }

  /** Clears everything if there are no foreign virtual servers. */
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

  /** The interface is down, so only `ip` lists its addresses. */
  async #addresses(): Promise<Address[]> {
    if (!(await this.#hasInterface())) return [];
    const { status, stdout } = await this.#system.run('ip', ['-json', 'address', 'show', 'dev', IPVS_INTERFACE], {
      timeoutMs: SHORT_TIMEOUT_MS,
    });
    if (status !== 0) return [];
    const links = LINKS.parse(JSON.parse(stdout));
    return links.flatMap((link) => link.addr_info.flatMap(({ local }) => parseAddress(local) ?? []));
  }

  /** Node ports such as `TCP 30080`, from the ipsets that contain them. */
  async #nodePorts(): Promise<Set<string>> {
    const ports = new Set<string>();
    for (const set of await this.#ipsets()) {
      const [, protocol] = /^KUBE-(?:6-)?NODE-PORT-(?:LOCAL-)?(TCP|UDP|SCTP)/.exec(set) ?? [];
      if (protocol === undefined) continue;
      const { stdout } = await this.#system.run('ipset', ['save', set]);
      // Bitmap sets contain ports, hash sets addresses with protocol and port.
      for (const [, port] of stdout.matchAll(/^add \S+ (?:\S+,(?:sctp:)?)?(\d+)/gm)) ports.add(`${protocol} ${port}`);
    }
    return ports;
  }

  async #ipsets(): Promise<string[]> {
    const listed = await this.#runIfInstalled('ipset', ['list', '-name']);
    return listed === undefined || listed.status !== 0 ? [] : listed.stdout.split('\n').filter(isKubeProxyIpset);
  }

  /** Runs a program that must succeed. Returns the error message of a failure. */
  async #runRequired(command: string, args: readonly string[]): Promise<string | undefined> {
    const result = await this.#runIfInstalled(command, args);
    if (result === undefined) {
      return `Cannot remove leftovers of kube-proxy's ipvs mode: "${command}": not found (install the package ${PACKAGES[command]})`;
    }
    return result.status === 0 ? undefined : `Cannot run "${[command, ...args].join(' ')}": ${failureMessage(result)}`;
  }

  /** `undefined` if the program is not installed. */
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
