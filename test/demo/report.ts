// What the demo prints: sections, tables, and in the end what held.
import { styleText } from 'node:util';

/** One claim of the demo, and whether it held. */
export interface Check {
  readonly passed: boolean;
  readonly text: string;
}

const INDENT = '   ';
const BAR_WIDTH = 24;

export class Report {
  readonly #checks: Check[] = [];
  #sections = 0;

  title(text: string): void {
    print(styleText('bold', text));
  }

  /** Starts a section with a line that says what it shows. */
  section(title: string, explanation: string): void {
    print(`\n${styleText(['bold', 'cyan'], `${++this.#sections}  ${title}`)}`);
    this.show(styleText('dim', explanation));
  }

  /** Prints text as it is, moved to the right. */
  show(text: string): void {
    print(text.trimEnd().replaceAll(/^(?=.)/gm, INDENT));
  }

  gap(): void {
    print('');
  }

  /** Shows a command and what it printed. */
  command(prompt: string, command: string, output: string): void {
    this.show(`${styleText('dim', `${prompt}#`)} ${styleText('bold', command)}`);
    this.show(output);
  }

  check(held: boolean, text: string): void {
    this.#checks.push({ passed: held, text });
  }

  /** Prints all claims and tells whether all of them held. */
  summary(): boolean {
    this.section('Summary', 'What was promised, and whether it held.');
    for (const { passed, text } of this.#checks) this.show(`${mark(passed)} ${text}`);
    return this.#checks.every(({ passed }) => passed);
  }
}

/** A share from 0 to 1 as a bar. */
export function bar(share: number): string {
  return '█'.repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, '·');
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1).padStart(5)}%`;
}

function mark(held: boolean): string {
  return held ? styleText('green', '✓') : styleText('red', '✗');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
