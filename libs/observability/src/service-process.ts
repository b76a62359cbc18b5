/**
 * The life of a service process: start, say that it is ready, stop on request, never outlive its launcher.
 *
 * 1. SIGTERM, SIGINT and a broken IPC channel (the launcher is gone, however it went) all stop the service once.
 * 2. A stop that takes longer than its bound, and a second signal, end the process at once.
 * 3. A service that cannot start says why on standard error and exits with 1.
 * 4. A service that wants to be replaced stops like any other, and says so by its exit code.
 */
import { toErrorInfo } from '@spine/core';

export interface RunningService {
  /** Told to the launcher with `type: 'ready'`, e.g. `{ url }`. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Most time a stop may take, in milliseconds, where it is only known after the start. */
  readonly stopWithinMs?: number;
  /** Resolves when the service wants a fresh process in its place. Default: never. */
  readonly replaceMe?: Promise<unknown>;
  stop(): Promise<void>;
}

/**
 * Exit code of a service that stopped because it wants to be replaced: EX_TEMPFAIL of sysexits. Whatever supervises it
 * starts it again.
 */
export const REPLACE_EXIT_CODE = 75;

export interface ServiceProcessOptions {
  readonly name: string;
  /** Most time a stop may take, in milliseconds, unless the service says otherwise. */
  readonly stopWithinMs: number;
  readonly start: () => Promise<RunningService>;
  /** Told of what goes wrong outside of any caller; default: standard error. */
  readonly onFault?: (message: string, error: unknown) => void;
}

function writeFault(message: string, error: unknown): void {
  process.stderr.write(`${message}: ${toErrorInfo(error).message}\n`);
}

/** Runs a service until it is told to stop; then ends the process. */
export async function runServiceProcess(options: ServiceProcessOptions): Promise<void> {
  const fault = options.onFault ?? writeFault;
  process.on('unhandledRejection', (error) => fault(`${options.name}: unhandled rejection`, error));
  let requests = 0;
  let stopRequested: () => void = () => undefined;
  const stopping = new Promise<number>((resolve) => {
    stopRequested = () => resolve(0);
  });
  const request = (): void => {
    requests += 1;
    if (requests > 1) process.exit(1);
    stopRequested();
  };
  process.on('SIGTERM', request);
  process.on('SIGINT', request);
  // Not counted as a second signal: a launcher that dies sends SIGTERM and breaks the channel.
  process.on('disconnect', () => stopRequested());

  let service: RunningService;
  try {
    service = await options.start();
  } catch (error) {
    process.stderr.write(`${options.name} could not start: ${toErrorInfo(error).message}\n`);
    process.exit(1);
  }
  // Sending into a channel that the launcher's death has closed would throw.
  if (process.connected) process.send?.({ type: 'ready', ...service.ready });
  const replaced = service.replaceMe?.then(() => REPLACE_EXIT_CODE) ?? stopping;
  const exitCode = await Promise.race([stopping, replaced]);
  const stopWithinMs = service.stopWithinMs ?? options.stopWithinMs;
  setTimeout(() => {
    fault(`${options.name}: stop`, new Error(`not stopped within ${stopWithinMs} ms`));
    process.exit(1);
  }, stopWithinMs).unref();
  try {
    await service.stop();
    process.exit(exitCode);
  } catch (error) {
    fault(`${options.name}: stop`, error);
    process.exit(1);
  }
}
