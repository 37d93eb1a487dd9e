// Reading what `nft list` prints of our sets and maps, line by line: a hundred thousand elements never stand in memory
// as one text.

/** One listed element. */
export interface ListedElement {
  readonly key: string;
  readonly data: string;
  readonly comment: string;
  /** What the element's counter has counted: new flows, for translation sees only the first packet of each. */
  readonly packets: number;
}

const START = /^\s*elements = \{\s*/;
const END = /\s*\}\s*$/;
/** Commas between elements, not those inside a quoted comment. */
const SEPARATOR = /,\s*(?=(?:[^"]*"[^"]*")*[^"]*$)/;
const ELEMENT = /^(\S+(?: \. \S+)*)((?: (?:counter packets \d+ bytes \d+|comment "[^"]*"|\w+ [\w.]+))*)(?: : (.+))?$/;

/** Takes the lines of `nft list set` or `nft list map`, one after the other, and gives their elements. */
export class ElementReader {
  #inside = false;

  /** The elements on this line. */
  read(line: string): ListedElement[] {
    let text = line;
    if (!this.#inside) {
      if (!START.test(text)) return [];
      text = text.replace(START, '');
      this.#inside = true;
    }
    if (END.test(text)) {
      text = text.replace(END, '');
      this.#inside = false;
    }
    return text
      .trim()
      .split(SEPARATOR)
      .filter((element) => element !== '')
      .map(readElement);
  }
}

function readElement(text: string): ListedElement {
  const [, key = text, extras = '', data = ''] = ELEMENT.exec(text) ?? [];
  const [, comment = ''] = /comment "([^"]*)"/.exec(extras) ?? [];
  const [, packets = '0'] = /counter packets (\d+)/.exec(extras) ?? [];
  return { key: withProtocolName(key), data, comment, packets: Number(packets) };
}

const PROTOCOL_NAMES: Readonly<Record<string, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };
const PROTOCOL = /(^| \. )(6|17|132)(?= \. )/;
const HAS_PROTOCOL_NAME = /(?:^| )(?:tcp|udp|sctp) /;

/**
 * nft prints protocols as numbers where /etc/protocols is missing, as it is in small images. What follows the protocol,
 * a port and a slot, may be the same number.
 */
function withProtocolName(key: string): string {
  if (HAS_PROTOCOL_NAME.test(key)) return key;
  return key.replace(PROTOCOL, (_, before: string, number: string) => `${before}${PROTOCOL_NAMES[number]}`);
}

/** The chains, and the sets and maps, in what `nft -t list table` printed. */
export function readTable(text: string): { readonly chains: string[]; readonly objects: string[] } {
  const matches = (pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1] ?? '');
  return { chains: matches(/^\tchain (\S+) \{$/gm), objects: matches(/^\t(?:set|map) (\S+) \{$/gm) };
}
