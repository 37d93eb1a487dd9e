// How the program ends: a contract with scripts and service managers.

export const EXIT = {
  /** Done. */
  ok: 0,
  /** The answer is no: `diff` found a difference. */
  different: 1,
  /** The command line is wrong. */
  usage: 2,
  /** This machine cannot run us: no nft, one that is too old, no privileges, another daemon at work. */
  environment: 3,
  /** What was given to read cannot be read: no such file, invalid YAML, no usable kubeconfig. */
  input: 4,
  /** Anything else that failed. */
  failure: 5,
} as const;

/** An end that a command has decided on. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}
