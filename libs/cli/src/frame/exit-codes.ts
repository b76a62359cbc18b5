/** What the exit code of `spine` says; docs/cli.md has the same table. */
export const EXIT = {
  /** Done; of a run that was waited for: completed. */
  ok: 0,
  /** Failed, or the run that was waited for ended badly. */
  failed: 1,
  /** The command line, a file or a value was not understood. */
  usage: 2,
  not_found: 3,
  /** Refused as things are: a conflict, a lock, a run that has ended already. */
  refused: 4,
  /** No key, a wrong one, or one that may not do this. */
  auth: 5,
  /** No answer, or none that can be used: the API is down, busy or something else. */
  unavailable: 6,
  /** `--timeout` is over. */
  timeout: 124,
  /** Ctrl-C. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
