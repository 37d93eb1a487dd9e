// Parses what nft prints with `--debug=netlink` about single elements that it gets from the kernel.

import { type Address, addressFromBits, familyOf, parseAddress } from '../../../net/address.ts';
import { FAMILIES, type Family } from '../../../net/family.ts';
import { TABLE } from '../operation.ts';

/** A `get element` command with one key. */
export interface ElementRequest {
  /** Of a set or map. */
  readonly name: string;
  readonly key: string;
  /** Whether elements have a value, which is that of a map. */
  readonly hasData: boolean;
}

/** The value of an element, which is empty in a set; `absent` if there is no such element. */
type ElementAnswer = { readonly data: string } | 'absent';

const REQUEST = new RegExp(`^(\\S+) ${TABLE} \\d+$`);
const ANSWER = new RegExp(`^\\S+ ${TABLE} @(\\S+)$`);
/** The key, the value, and the flags of an element: `element 0500600a 00000006 : 0101000a 0000901f 0 [end]`. */
const ELEMENT = /^\telement (.*?) +: (?:([^[]*?) )?\d+ \[end\]/;

/**
 * The answers to the requests, in their order: each is printed as it is sent, and then the element of the kernel, if there
 * is one. `undefined` if the text has another form, which is that of another version of nft: the form is not documented, so
 * each key and the number of requests are compared, and the order of bytes is found by the first part of the key.
 */
export function parseDebugListing(
  lines: readonly string[],
  requests: readonly ElementRequest[],
): ElementAnswer[] | undefined {
  const answers: ElementAnswer[] = [];
  for (const [index, line] of lines.entries()) {
    const [, name] = REQUEST.exec(line) ?? [];
    if (name === undefined) continue;
    const request = requests[answers.length];
    const [, sent] = ELEMENT.exec(lines[index + 1] ?? '') ?? [];
    if (request?.name !== name || sent === undefined || !isKey(sent, request.key)) return undefined;
    const isAnswered = ANSWER.exec(lines[index + 2] ?? '')?.[1] === name;
    const answer = isAnswered ? parseAnswer(lines[index + 3] ?? '', { sent, request }) : 'absent';
    if (answer === undefined) return undefined;
    answers.push(answer);
  }
  return answers.length === requests.length ? answers : undefined;
}

interface SentRequest {
  /** The key as nft prints it. */
  readonly sent: string;
  readonly request: ElementRequest;
}

function parseAnswer(line: string, { sent, request }: SentRequest): ElementAnswer | undefined {
  const [, key, printed = ''] = ELEMENT.exec(line) ?? [];
  if (key !== sent) return undefined;
  if (!request.hasData) return printed === '' ? { data: '' } : undefined;
  const data = readVerdict(printed) ?? readEndpoint(printed);
  return data === undefined ? undefined : { data };
}

const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** Whether the words begin with the first part of this key, in the order of bytes that {@link bytesOf} reads. */
function isKey(words: string, key: string): boolean {
  if (key === '*') return words === '';
  const [part = ''] = key.split(' . ');
  const bytes = bytesOf(words);
  const address = parseAddress(part);
  if (address !== undefined) return addressAt(bytes, familyOf(address)) === address;
  return bytes[0] === (PROTOCOLS[part] ?? Number(part));
}

/** The bytes of 32-bit words that are printed as numbers of a little-endian machine. */
function bytesOf(words: string): number[] {
  return words
    .split(' ')
    .flatMap((word) => [6, 4, 2, 0].map((digit) => Number.parseInt(word.slice(digit, digit + 2), 16)));
}

const ADDRESS_BYTES = { ip: 4, ip6: 16 } as const;

/** The address that the bytes begin with. */
function addressAt(bytes: readonly number[], family: Family): Address {
  const bits = bytes.slice(0, ADDRESS_BYTES[family]).reduce((sum, byte) => (sum << 8n) | BigInt(byte || 0), 0n);
  return addressFromBits(bits, family);
}

/** An address and a port, which take four bytes more than the address. */
function readEndpoint(text: string): string | undefined {
  if (!/^[0-9a-f]{8}(?: [0-9a-f]{8})+$/.test(text)) return undefined;
  const bytes = bytesOf(text);
  const family = FAMILIES.find((candidate) => bytes.length === ADDRESS_BYTES[candidate] + 4);
  if (family === undefined) return undefined;
  const [high = 0, low = 0] = bytes.slice(ADDRESS_BYTES[family]);
  return `${addressAt(bytes, family)} . ${256 * high + low}`;
}

function readVerdict(text: string): string | undefined {
  const [, verdict, chain] = /^(goto|jump) -> (\S+)$/.exec(text) ?? [];
  if (verdict !== undefined) return `${verdict} ${chain}`;
  return /^(?:drop|accept|return|continue)$/.test(text) ? text : undefined;
}
