import { processIo } from './frame/io.ts';
import { runProgram } from './program.ts';

/**
 * The `spine` command in this process.
 * @returns the exit code: see `EXIT`
 */
export function runCli(args: readonly string[]): Promise<number> {
  return runProgram(args, processIo());
}
