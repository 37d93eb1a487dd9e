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
 * Whether a complaint says that the kernel holds something else than we believed: what was to be deleted is not there,
 * or what was to be added is.
 */
export function isDrift({ message }: NftErrorMessage): boolean {
  return DRIFT.test(message);
}

/** Where an object is missing, nft may go on: `; did you mean table 'nftlane' in family ip6?`. */
const DRIFT = /(?:No such file or directory|File exists)(?:; did you mean .*)?$/;
