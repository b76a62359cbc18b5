/** Something the person at the terminal can mend: its message is shown alone, without a stack. */
export class Failure extends Error {
  /** @param {number} [exitCode] exit code of the whole command, default 1 */
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
