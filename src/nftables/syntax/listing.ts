// Parses the output of `nft list` for our tables; elements line by line, so that 100,000 of them are never one string.

/** One listed element. */
export interface ListedElement {
  readonly key: string;
  readonly data: string;
  readonly comment: string;
  /** The element's counter. It counts flows: only the first packet of a flow passes a nat chain. */
  readonly packets: number;
}

const START = /^\s*elements = \{\s*/;
const END = /\s*\}\s*$/;
/** A comma between elements, not one in a quoted comment. */
const SEPARATOR = /,\s*(?=(?:[^"]*"[^"]*")*[^"]*$)/;
const ELEMENT = /^(\S+(?: \. \S+)*)((?: (?:counter packets \d+ bytes \d+|comment "[^"]*"|\w+ [\w.]+))*)(?: : (.+))?$/;

/** Parses the output of `nft list set` or `nft list map`. */
export class ElementReader {
  #isInside = false;

  /** The elements on the next line. */
  read(line: string): ListedElement[] {
    let text = line;
    if (!this.#isInside) {
      if (!START.test(text)) return [];
      text = text.replace(START, '');
      this.#isInside = true;
    }
    if (END.test(text)) {
      text = text.replace(END, '');
      this.#isInside = false;
    }
    return text
      .trim()
      .split(SEPARATOR)
      .filter((element) => element !== '')
      .map(readElement);
  }
}

/** Parses `key counter ... comment "..." : data`. */
export function readElement(text: string): ListedElement {
  const [, key = text, extras = '', data = ''] = ELEMENT.exec(text) ?? [];
  const [, comment = ''] = /comment "([^"]*)"/.exec(extras) ?? [];
  const [, packets = '0'] = /counter packets (\d+)/.exec(extras) ?? [];
  return { key: withProtocolName(key), data, comment, packets: Number(packets) };
}

const PROTOCOL_NAMES: Readonly<Record<string, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };
const PROTOCOL = /(^| \. )(6|17|132)(?= \. )/;
const HAS_PROTOCOL_NAME = /(?:^| )(?:tcp|udp|sctp) /;

/**
 * nft prints protocols as numbers where /etc/protocols is missing, as in small container images. Only the first match
 * is the protocol: a port or slot may be the same number.
 */
function withProtocolName(key: string): string {
  if (HAS_PROTOCOL_NAME.test(key)) return key;
  return key.replace(PROTOCOL, (_, before: string, number: string) => `${before}${PROTOCOL_NAMES[number]}`);
}
