/** The command line, a file or a value was not understood. `message` says which, what was given and what is allowed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** What to do about it. */
  readonly fix: string | undefined;

  constructor(message: string, options: ErrorOptions & { readonly fix?: string } = {}) {
    super(message, options);
    this.fix = options.fix;
  }
}

/** Waiting has taken longer than `--timeout`. */
export class WaitedTooLong extends Error {
  override readonly name = 'WaitedTooLong';
}
