// Formats tables with a left-aligned first column and right-aligned numbers.

export function printTable(title: string, header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    widths.map((width, column) => pad(row[column] ?? '', { width, left: column === 0 })).join('  ');
  const rule = '-'.repeat(widths.reduce((sum, width) => sum + width + 2, -2));
  return [title, '', ...[line(header), rule, ...rows.map(line)].map((text) => `  ${text.trimEnd()}`), ''].join('\n');
}

function pad(text: string, { width, left }: { width: number; left: boolean }): string {
  return left ? text.padEnd(width) : text.padStart(width);
}
