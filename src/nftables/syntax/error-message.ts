// Parses error messages of nft.

/** An error and its line in the input; line 0 when nft names none. */
export interface NftErrorMessage {
  readonly line: number;
  readonly message: string;
}

const ERROR_LINE = /^(?:[^\s:]+:(\d+):\d+-\d+: |netlink: )?Error: (.+)$/;

/** The errors in the standard error output of nft. */
export function parseErrorMessages(stderr: string): NftErrorMessage[] {
  return stderr.split('\n').flatMap((text) => {
    const [, line = '0', message] = ERROR_LINE.exec(text) ?? [];
    return message === undefined ? [] : [{ line: Number(line), message }];
  });
}

/**
 * The errors of a session, whose input is one line: nft repeats the line after each error, and puts a caret below the
 * place. `operationAt` is the line of the operation at a column. Errors of listings do not count.
 */
export function parseSessionErrors(stderr: string, operationAt: (column: number) => number): NftErrorMessage[] {
  const lines = stderr.split('\n');
  return lines.flatMap((text, index) => {
    const [, , message] = ERROR_LINE.exec(text) ?? [];
    if (message === undefined || lines[index + 1]?.startsWith('list ')) return [];
    const column = /^[ \t~]*\^/.exec(lines[index + 2] ?? '')?.[0].length;
    return [{ line: column === undefined ? 0 : operationAt(column - 1), message }];
  });
}

/**
 * The errors of an nft process that has exited; none when its status is 0. Without a message of the usual form, the
 * first line of standard error, or else the status.
 */
export function errorMessages({ status, stderr }: { status: number; stderr: string }): NftErrorMessage[] {
  if (status === 0) return [];
  const messages = parseErrorMessages(stderr);
  if (messages.length > 0) return messages;
  const line = stderr.split('\n').find((text) => text.trim() !== '' && !text.startsWith('# Warning'));
  return [{ line: 0, message: line?.trim() ?? `exit status ${status}` }];
}

/**
 * Whether an error shows that the kernel's state differs from the assumed one: an element to delete does not exist, one to
 * add exists, or a table has other flags than its declaration.
 */
export function isDrift({ message }: NftErrorMessage): boolean {
  return DRIFT.test(message);
}

/** nft may append a suggestion to the first: `; did you mean table 'nftlane' in family ip6?`. */
const DRIFT = /(?:No such file or directory|File exists|Operation not supported)(?:; did you mean .*)?$/;
