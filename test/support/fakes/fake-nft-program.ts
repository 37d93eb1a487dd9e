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
  /** All scripts that it has read, from standard input or by `include`. */
  readonly input: () => string;
  /** The arguments of all runs so far. */
  readonly runs: () => string[];
}

/**
 * Replies by arguments, such as `list tables`; other arguments fail. As `nft -i`, it refuses scripts that contain
 * `refuse`, and dies of scripts that contain `die`.
 */
export function fakeNftProgram(t: Test, replies: Readonly<Record<string, NftReply>> = {}): FakeNftProgram {
  const directory = t.testdir({});
  const [command, input, runs] = ['nft', 'input', 'runs'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [input, runs]) writeFileSync(path, '');
  const cases = Object.entries(replies).map(([args, { stdout = '', stderr = '', status = 0 }], index) => {
    writeFileSync(`${command}.${index}.out`, stdout);
    writeFileSync(`${command}.${index}.err`, stderr);
    return `'${args}') cat >>'${input}'; cat '${command}.${index}.out'; cat '${command}.${index}.err' >&2; exit ${status};;`;
  });
  const script = ['#!/bin/sh', `echo "$*" >>'${runs}'`, 'case "$*" in', "'-i');;", ...cases, '*) exit 99;;', 'esac'];
  writeFileSync(command, `${script.join('\n')}\n${sessionLoop(input)}`, { mode: 0o755 });
  return {
    command,
    input: () => readFileSync(input, 'utf8'),
    runs: () => readFileSync(runs, 'utf8').trimEnd().split('\n'),
  };
}

/** What nft -i does with `include "FILE"`, and with a word that it does not know. */
function sessionLoop(input: string): string {
  return `while read -r word rest; do
  case "$word" in
    include)
      file=\${rest#?}; file=\${file%?}
      cat "$file" >>'${input}'
      if grep -q die "$file"; then echo dying >&2; exit 3; fi
      if grep -q refuse "$file"; then echo "$file:1:1-6: Error: Could not process rule: File exists" >&2; fi;;
    *) printf 'Error: syntax error, unexpected string\\n%s\\n^^^^\\n' "$word" >&2;;
  esac
done
`;
}
