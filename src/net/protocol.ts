// The transport protocols of Services.

/** In lower case, as in nft; Kubernetes uses upper case. */
export type Protocol = 'tcp' | 'udp' | 'sctp';

const BY_API_NAME: ReadonlyMap<string, Protocol> = new Map([
  ['TCP', 'tcp'],
  ['UDP', 'udp'],
  ['SCTP', 'sctp'],
]);

/** The protocol by its name in the Kubernetes API; `undefined` for other names. */
export function parseProtocol(name: string): Protocol | undefined {
  return BY_API_NAME.get(name);
}
