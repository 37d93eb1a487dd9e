// What kube-proxy leaves in its ipvs mode: virtual servers, an interface that holds their addresses, and ipsets.
import * as z from 'zod/mini';
import { ExecError, type ExecResult } from '../host/process/exec.ts';
import { type Address, parseAddress } from '../net/address.ts';
import { isOwnSet } from './kube-chains.ts';
import { complaintOf, count, type Layer, type Removal, type Survey, type System } from './layer.ts';
import { ipvsadmWords, readVirtualServers, type VirtualServer } from './virtual-servers.ts';

const INTERFACE = 'kube-ipvs0';

/**
 * Virtual servers at an address of the interface are kube-proxy's, and so are those at a node port, which its ipsets name.
 * All others are somebody else's.
 *
 * A connection through IPVS ends when its virtual server goes, for IPVS drops packets to a destination that is no more. New
 * flows to Services never get there once our tables are complete: they are translated before the kernel decides that their
 * destination is local, which is where IPVS takes them. So {@link connections} can be waited for.
 */
export class Ipvs implements Layer {
  readonly #system: System;

  constructor(system: System) {
    this.#system = system;
  }

  /** How many connections still go through virtual servers of kube-proxy's. */
  async connections(): Promise<number> {
    return (await this.#servers()).reduce((sum, server) => sum + server.connections, 0);
  }

  async find(): Promise<Survey> {
    const [servers, hasInterface, sets] = await Promise.all([this.#servers(), this.#hasInterface(), this.#sets()]);
    return {
      leftovers: [
        ...(servers.length > 0 ? [`ipvs: ${count(servers.length, 'virtual server')}`] : []),
        ...(hasInterface ? [`ipvs: the interface ${INTERFACE}`] : []),
        ...(sets.length > 0 ? [`ipvs: ${count(sets.length, 'ipset')}`] : []),
      ],
      obstacles: [],
    };
  }

  /** To be called when no iptables rule asks for the ipsets any more. */
  async remove(): Promise<Removal> {
    const removed: string[] = [];
    const obstacles: string[] = [];
    const note = (done: string | undefined, obstacle: string | undefined) => {
      if (obstacle !== undefined) obstacles.push(obstacle);
      else if (done !== undefined) removed.push(done);
    };
    const [servers, sets] = [await this.#servers(), await this.#sets()];
    if (servers.length > 0) {
      note(`ipvs: ${count(servers.length, 'virtual server')}`, await this.#removeServers(servers));
    }
    if (await this.#hasInterface()) {
      note(`ipvs: the interface ${INTERFACE}`, await this.#must('ip', ['link', 'delete', INTERFACE]));
    }
    for (const set of sets) {
      const obstacle = await this.#must('ipset', ['destroy', set]);
      if (obstacle !== undefined) obstacles.push(obstacle);
    }
    if (sets.length > 0 && obstacles.length === 0) removed.push(`ipvs: ${count(sets.length, 'ipset')}`);
    return { removed, kept: [], obstacles };
  }

  /** All at once where nobody else has any. */
  async #removeServers(servers: readonly VirtualServer[]): Promise<string | undefined> {
    const all = await this.#system.read('/proc/net/ip_vs');
    const foreign = readVirtualServers(all).length > servers.length || /^FWM/m.test(all);
    if (!foreign) return this.#must('ipvsadm', ['--clear']);
    for (const server of servers) {
      const obstacle = await this.#must('ipvsadm', ['--delete-service', ...ipvsadmWords(server)]);
      if (obstacle !== undefined) return obstacle;
    }
    return undefined;
  }

  async #servers(): Promise<VirtualServer[]> {
    const servers = readVirtualServers(await this.#system.read('/proc/net/ip_vs'));
    if (servers.length === 0) return [];
    const [addresses, nodePorts] = [new Set(await this.#addresses()), await this.#nodePorts()];
    return servers.filter(
      ({ address, protocol, port }) => addresses.has(address) || nodePorts.has(`${protocol} ${port}`),
    );
  }

  async #hasInterface(): Promise<boolean> {
    return new RegExp(`^ *${INTERFACE}:`, 'm').test(await this.#system.read('/proc/net/dev'));
  }

  /** The interface is down, so that only `ip` tells its addresses. */
  async #addresses(): Promise<Address[]> {
    if (!(await this.#hasInterface())) return [];
    const { status, stdout } = await this.#system.run('ip', ['-json', 'address', 'show', 'dev', INTERFACE]);
    if (status !== 0) return [];
    const links = LINKS.parse(JSON.parse(stdout));
    return links.flatMap((link) => link.addr_info.flatMap(({ local }) => parseAddress(local) ?? []));
  }

  /** `TCP 30080` for each node port, from the ipsets that hold them. */
  async #nodePorts(): Promise<Set<string>> {
    const ports = new Set<string>();
    for (const set of await this.#sets()) {
      const [, protocol] = /^KUBE-(?:6-)?NODE-PORT-(?:LOCAL-)?(TCP|UDP|SCTP)/.exec(set) ?? [];
      if (protocol === undefined) continue;
      const { stdout } = await this.#system.run('ipset', ['save', set]);
      // Members of a bitmap are ports, those of a hash are addresses with protocol and port.
      for (const [, port] of stdout.matchAll(/^add \S+ (?:\S+,(?:sctp:)?)?(\d+)/gm)) ports.add(`${protocol} ${port}`);
    }
    return ports;
  }

  async #sets(): Promise<string[]> {
    const listed = await this.#try('ipset', ['list', '-name']);
    return listed === undefined || listed.status !== 0 ? [] : listed.stdout.split('\n').filter(isOwnSet);
  }

  /** Runs a program that has to succeed. Returns what stood in its way. */
  async #must(command: string, args: readonly string[]): Promise<string | undefined> {
    const result = await this.#try(command, args);
    if (result === undefined) {
      return `Cannot remove what kube-proxy's ipvs mode has left: ${command} is not there (install the package ${PACKAGES[command]})`;
    }
    return result.status === 0 ? undefined : `Cannot run "${[command, ...args].join(' ')}": ${complaintOf(result)}`;
  }

  /** `undefined` when there is no such program. */
  async #try(command: string, args: readonly string[]): Promise<ExecResult | undefined> {
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
