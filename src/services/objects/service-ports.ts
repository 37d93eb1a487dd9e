// The ports of a Service.

import { type Protocol, parseProtocol } from '../../net/protocol.ts';
import { asArray, asObject, asString, type IssueCollector, isShortName, type JsonObject } from './read.ts';

export interface ServicePort {
  /** Empty for the only port of a Service without port names. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** 0 without one. */
  readonly nodePort: number;
}

/** Why a number is absent that files may lack. */
export const ALLOCATED_BY_API_SERVER = 'an API server would allocate it';

/** Reads `spec.ports`. */
export function readServicePorts(spec: JsonObject, issues: IssueCollector): ServicePort[] {
  const ports: ServicePort[] = [];
  const names = new Set<string>();
  const numbers = new Set<string>();
  const nodePorts = new Set<string>();
  for (const [index, entry] of asArray(spec['ports']).entries()) {
    const port = readPort(asObject(entry), `spec.ports[${index}]`, issues);
    if (port === undefined) continue;
    const byName = `${port.name} ${port.protocol}`;
    const byNumber = `${port.port} ${port.protocol}`;
    if (names.has(byName) || numbers.has(byNumber)) {
      issues.add({
        field: `spec.ports[${index}]`,
        value: entry,
        reason: 'repeats the name or number of an earlier port',
        effect: PORT_IGNORED,
      });
      continue;
    }
    names.add(byName);
    numbers.add(byNumber);
    const byNodePort = `${port.nodePort} ${port.protocol}`;
    const repeats = port.nodePort !== 0 && nodePorts.has(byNodePort);
    if (repeats) {
      const field = `spec.ports[${index}].nodePort`;
      issues.add({
        field,
        value: port.nodePort,
        reason: 'repeats the node port of an earlier port',
        effect: 'ignoring this node port',
      });
    }
    nodePorts.add(byNodePort);
    if (spec['type'] === 'NodePort' && (asObject(entry)['nodePort'] ?? 0) === 0) {
      const effect = `port ${port.port}/${port.protocol} has no node port`;
      issues.add({
        field: `spec.ports[${index}].nodePort`,
        value: asObject(entry)['nodePort'],
        reason: ALLOCATED_BY_API_SERVER,
        effect,
      });
    }
    ports.push(repeats ? { ...port, nodePort: 0 } : port);
  }
  return ports;
}

const PORT_IGNORED = 'ignoring this port';

function readPort(port: JsonObject, path: string, issues: IssueCollector): ServicePort | undefined {
  const name = asString(port['name']);
  const protocol = parseProtocol(asString(port['protocol']) || 'TCP');
  const nodePort = port['nodePort'] ?? 0;
  if (name !== '' && !isShortName(name)) {
    issues.add({
      field: `${path}.name`,
      value: port['name'],
      reason: 'is not a valid port name',
      effect: PORT_IGNORED,
    });
  } else if (protocol === undefined) {
    issues.add({
      field: `${path}.protocol`,
      value: port['protocol'],
      reason: 'must be TCP, UDP or SCTP',
      effect: PORT_IGNORED,
    });
  } else if (!isPort(port['port'])) {
    issues.add({
      field: `${path}.port`,
      value: port['port'],
      reason: 'must be a whole number from 1 to 65535',
      effect: PORT_IGNORED,
    });
  } else if (nodePort !== 0 && !isPort(nodePort)) {
    issues.add({
      field: `${path}.nodePort`,
      value: nodePort,
      reason: 'must be a whole number from 1 to 65535',
      effect: 'ignoring this node port',
    });
    return { name, protocol, port: port['port'], nodePort: 0 };
  } else {
    return { name, protocol, port: port['port'], nodePort };
  }
  return undefined;
}

/** Whether the value is a port number. */
export function isPort(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65535;
}
