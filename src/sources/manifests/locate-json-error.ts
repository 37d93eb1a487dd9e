// Where in a text JSON.parse met an unexpected token: of all its errors this is the one that comes without a position.

/** White space, then a punctuation mark (the group) or any other token of JSON. */
const TOKEN = /\s*(?:([{}[\],:])|"[^"\\]*(?:\\.[^"\\]*)*"|(?:true|false|null|-?\d[\d.eE+-]*)(?!\w))/sy;
const SPACE = /\s*/y;

/**
 * The offset of the first token that no JSON has, or of the mark that stands where a value belongs. Everything else
 * that may be wrong is taken for right: JSON.parse would have reported it with its position.
 */
export function locateJsonError(text: string): number {
  let before = '';
  for (let offset = 0; ; offset = TOKEN.lastIndex) {
    TOKEN.lastIndex = offset;
    const match = TOKEN.exec(text);
    const mark = match?.[1] ?? '';
    if (match === null || isMisplaced(mark, before)) return skipSpace(text, offset);
    before = mark;
  }
}

function isMisplaced(mark: string, before: string): boolean {
  const needsValue = before === '[' || before === ',' || before === ':';
  const isNoValue = mark === ']' || mark === '}' || mark === ',' || mark === ':';
  return needsValue && isNoValue && before + mark !== '[]';
}

function skipSpace(text: string, offset: number): number {
  SPACE.lastIndex = offset;
  SPACE.test(text);
  return SPACE.lastIndex;
}
