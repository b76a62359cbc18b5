import { supervise } from './supervise.ts';

/**
 * `spine start`: runs until it is asked to stop or cannot go on.
 * @param root folder of the project
 * @returns the exit code: 0 after a stop that was asked for, 1 otherwise
 */
export function runStart(root: string): Promise<number> {
  return supervise(root, async ({ launcher, reporter, signal }) => {
    reporter.message(await launcher().start());
    await aborted(signal);
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
