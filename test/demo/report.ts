// Prints the demo's output: sections, tables, and a summary of checks.

import { styleText } from 'node:util';

/** A check of the demo and its result. */
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

  /** Starts a section with a line of explanation. */
  section(title: string, explanation: string): void {
    print(`\n${styleText(['bold', 'cyan'], `${++this.#sections}  ${title}`)}`);
    this.show(styleText('dim', explanation));
  }

  /** Prints text, indented. */
  show(text: string): void {
    print(text.trimEnd().replaceAll(/^(?=.)/gm, INDENT));
  }

  gap(): void {
    print('');
  }

  /** Prints a command and its output. */
  command(prompt: string, command: string, output: string): void {
    this.show(`${styleText('dim', `${prompt}#`)} ${styleText('bold', command)}`);
    this.show(output);
  }

  check(passed: boolean, text: string): void {
    this.#checks.push({ passed, text });
  }

  /** Prints all checks and returns whether all have passed. */
  summary(): boolean {
    this.section('Summary', 'The checks and their results.');
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

function mark(passed: boolean): string {
  return passed ? styleText('green', '✓') : styleText('red', '✗');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
