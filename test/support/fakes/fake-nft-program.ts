// An nft program for tests: a shell script that prints prepared replies and records its input.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';

export interface NftReply {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly status?: number;
}

export interface FakeNftProgram {
  /** The path of the program. */
  readonly command: string;
  /** All transactions that it has read, without their markers. */
  readonly input: () => string;
  /** The arguments of all runs so far. */
  readonly runs: () => string[];
}

/**
 * Replies by arguments, such as `list tables`; other arguments fail. As `nft -i` and `nft -f -`, it shows the marker of
 * each transaction, refuses transactions that contain `refuse`, dies of those that contain `die`, shows no markers of
 * those that contain `pretend`, and waits for ever when it reads `hang`.
 */
export function fakeNftProgram(t: Test, replies: Readonly<Record<string, NftReply>> = {}): FakeNftProgram {
  const directory = t.testdir({});
  const [command, input, runs, markers] = ['nft', 'input', 'runs', 'markers'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const path of [input, runs, markers]) writeFileSync(path, '');
  const cases = Object.entries(replies).map(([args, { stdout = '', stderr = '', status = 0 }], index) => {
    writeFileSync(`${command}.${index}.out`, stdout);
    writeFileSync(`${command}.${index}.err`, stderr);
    return `'${args}') cat >>'${input}'; cat '${command}.${index}.out'; cat '${command}.${index}.err' >&2; exit ${status};;`;
  });
  const script = [
    '#!/bin/sh',
    `input='${input}' markers='${markers}'`,
    `echo "$*" >>'${runs}'`,
    'case "$*" in',
    ...cases,
    "'-i') ;;",
    `'-f -') ${SCRIPT} ;;`,
    `'list set ip nftlane last-transaction') cat '${markers}'; exit 0 ;;`,
    '*) exit 99;;',
    'esac',
  ];
  writeFileSync(command, `${script.join('\n')}\n${SESSION}`, { mode: 0o755 });
  return {
    command,
    input: () =>
      readFileSync(input, 'utf8').replaceAll(/^(?:flush set|add element) ip nftlane last-transaction.*\n/gm, ''),
    runs: () => readFileSync(runs, 'utf8').trimEnd().split('\n'),
  };
}

/** What nft -f - does. */
const SCRIPT = String.raw`script="$markers.$$"; cat >"$script"; cat "$script" >>"$input"
  if grep -q hang "$script"; then exec sleep 600; fi
  if grep -q die "$script"; then kill -9 $$; fi
  if grep -q refuse "$script"; then
    echo "/dev/stdin:$(grep -n refuse "$script" | cut -d: -f1):1-6: Error: Could not process rule: File exists" >&2
    exit 1
  fi
  if ! grep -q pretend "$script"; then
    printf '0x%08x\n' $(sed -n 's/.* last-transaction { \([0-9]*\) }.*/\1/p' "$script") >>"$markers"
  fi
  exit 0`;

/** What nft -i does with a transaction, and with a word that it does not know. */
const SESSION = String.raw`while read -r line; do
  case "$line" in
    list*) [ -z "$number" ] || printf '\telements = { 0x%08x }\n' "$number"; continue ;;
    end*) printf 'Error: syntax error, unexpected newline\n%s\n    ^\n' "$line" >&2; continue ;;
  esac
  printf '%s\n' "$line" | sed 's/; /\n/g' >>"$input"
  number=
  case "$line" in
    *hang*) exec sleep 600 ;;
    *die*) echo dying >&2; exit 3 ;;
    *refuse*) printf 'Error: Could not process rule: File exists\n%s\n^^^^^^\n' "$line" >&2 ;;
    *pretend*) ;;
    *) number=$(printf '%s\n' "$line" | sed 's/.* last-transaction { \([0-9]*\) }.*/\1/') ;;
  esac
done
`;
