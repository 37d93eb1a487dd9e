// Reading what `nft -j list` prints: the part of its JSON that our own tables can hold.

/** The elements of one set or map, and their counters. */
export interface ListedElement {
  readonly key: string;
  readonly data: string;
  readonly comment: string;
  /** Packets that the element's counter has counted: new flows, for translation sees only the first packet of each. */
  readonly packets: number;
}

/** What a table holds, without elements. */
export interface ListedTable {
  readonly chains: readonly string[];
  readonly objects: readonly string[];
}

type Json = { readonly [field: string]: unknown };

/** The names in the answer to `nft -j -t list table FAMILY NAME`. */
export function parseTable(json: string): ListedTable {
  const chains: string[] = [];
  const objects: string[] = [];
  for (const item of items(json)) {
    const chain = record(item['chain']);
    const object = record(item['set'] ?? item['map']);
    if (chain !== undefined) chains.push(String(chain['name']));
    else if (object !== undefined) objects.push(String(object['name']));
  }
  return { chains, objects };
}

/** The elements in the answer to `nft -j list set|map FAMILY TABLE NAME`. */
export function parseElements(json: string): ListedElement[] {
  const object = items(json)
    .map((item) => record(item['set'] ?? item['map']))
    .find((found) => found !== undefined);
  const elements = object?.['elem'];
  return Array.isArray(elements) ? elements.map(parseElement) : [];
}

function items(json: string): Json[] {
  const parsed: unknown = JSON.parse(json);
  const list = record(parsed)?.['nftables'];
  return Array.isArray(list) ? list.map((item) => record(item) ?? {}) : [];
}

/** In a map an element is `[key, data]`; a key with a comment or a counter is wrapped in `{ elem: { val } }`. */
function parseElement(listed: unknown): ListedElement {
  const isPair = Array.isArray(listed);
  const key: unknown = isPair ? listed[0] : listed;
  const data: unknown = isPair ? listed[1] : undefined;
  const elem = record(record(key)?.['elem']);
  const packets = record(elem?.['counter'])?.['packets'];
  return {
    key: printValue(elem === undefined ? key : elem['val']),
    data: data === undefined ? '' : printData(data),
    comment: typeof elem?.['comment'] === 'string' ? elem['comment'] : '',
    packets: typeof packets === 'number' ? packets : 0,
  };
}

function printValue(value: unknown): string {
  const concatenation = record(value)?.['concat'];
  if (Array.isArray(concatenation)) return concatenation.map(printValue).join(' . ');
  return typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value);
}

function printData(data: unknown): string {
  const verdict = record(data);
  if (verdict !== undefined && 'drop' in verdict) return 'drop';
  const target = record(verdict?.['goto'])?.['target'];
  return typeof target === 'string' ? `goto ${target}` : printValue(data);
}

function record(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}
