// What nft says when it, or the kernel, refuses something.

/** One complaint, with the line of the input that it is about; line 0 when nft does not say. */
export interface NftErrorMessage {
  readonly line: number;
  readonly message: string;
}

const ERROR_LINE = /^(?:[^\s:]+:(\d+):\d+-\d+: )?Error: (.+)$/;

/** The complaints in what nft wrote to standard error. */
export function parseErrorMessages(stderr: string): NftErrorMessage[] {
  return stderr.split('\n').flatMap((text) => {
    const [, line = '0', message] = ERROR_LINE.exec(text) ?? [];
    return message === undefined ? [] : [{ line: Number(line), message }];
  });
}

/**
 * The errors of an nft that ended with this status; none when that is 0. Where nft gave no error of its own, the first
 * line of standard error, or the status.
 */
export function errorMessages({ status, stderr }: { status: number; stderr: string }): NftErrorMessage[] {
  if (status === 0) return [];
  const messages = parseErrorMessages(stderr);
  if (messages.length > 0) return messages;
  const line = stderr.split('\n').find((text) => text.trim() !== '' && !text.startsWith('# Warning'));
  return [{ line: 0, message: line?.trim() ?? `exit status ${status}` }];
}

/**
 * Whether a complaint says that the kernel holds something else than we believed: what was to be deleted is not there,
 * or what was to be added is.
 */
export function isDrift({ message }: NftErrorMessage): boolean {
  return DRIFT.test(message);
}

/** Where an object is missing, nft may go on: `; did you mean table 'nftlane' in family ip6?`. */
const DRIFT = /(?:No such file or directory|File exists)(?:; did you mean .*)?$/;
