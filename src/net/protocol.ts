// The transport protocols a Service can have.

/** nft's spelling; Kubernetes writes the same in capitals. */
export type Protocol = 'tcp' | 'udp' | 'sctp';

const BY_API_NAME: ReadonlyMap<string, Protocol> = new Map([
  ['TCP', 'tcp'],
  ['UDP', 'udp'],
  ['SCTP', 'sctp'],
]);

/** The protocol that the API calls `name`; `undefined` when there is no such protocol. */
export function parseProtocol(name: string): Protocol | undefined {
  return BY_API_NAME.get(name);
}
