// Finds the position of an unexpected token in JSON, which the error of JSON.parse lacks.

/** White space, followed by a punctuation mark (the group) or another token of JSON. */
const TOKEN = /\s*(?:([{}[\],:])|"[^"\\]*(?:\\.[^"\\]*)*"|(?:true|false|null|-?\d[\d.eE+-]*)(?!\w))/sy;
const SPACE = /\s*/y;

/**
 * The offset of the first invalid token, or of a punctuation mark in place of a value. Other errors are ignored, because
 * JSON.parse reports them with a position.
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
