/** The `spine` command, for programs that run it in their own process. */
export { runCli } from './cli.ts';
export { EXIT, type ExitCode } from './frame/exit-codes.ts';
export { Interrupted, type CliIo, type InputStream, type OutputStream } from './frame/io.ts';
export { runProgram } from './program.ts';
