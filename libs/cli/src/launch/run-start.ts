import { loadProcessSettings } from '@spine/config';
import { SpineError } from '@spine/core';
import { Launcher } from './launcher.ts';
import { ChildStartError } from './managed-child.ts';
import { StageReporter } from './stages.ts';
import { listenForStop, StopRequested } from './stop-request.ts';

/** How much longer than the grace everything may take before the launcher gives up waiting. */
const LAST_RESORT_MS = 8_000;

/**
 * `spine start`: runs until it is asked to stop or cannot go on.
 * @param root folder of the project
 * @returns the exit code: 0 after a stop that was asked for, 1 otherwise
 */
export async function runStart(root: string): Promise<number> {
  // A terminal that was closed must not end the launcher before it has stopped what it started.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const stop = listenForStop();
  const reporter = new StageReporter(process.stdout);

  let launcher: Launcher | undefined;
  let exitCode = 0;
  const crashed = (error: unknown): void => {
    exitCode = 1;
    reporter.message(explain(error));
    stop.request('internal error');
  };
  process.on('uncaughtException', crashed);
  process.on('unhandledRejection', crashed);

  try {
    const settings = await loadProcessSettings({ role: 'launcher' });
    launcher = new Launcher({ settings, reporter, root, signal: stop.signal });
    reporter.message(await launcher.start());
    await aborted(stop.signal);
  } catch (error) {
    if (!(error instanceof StopRequested)) {
      exitCode = 1;
      reporter.message(explain(error));
    }
  }

  if (launcher) {
    const running = launcher;
    reporter.message(stop.reason === 'SIGINT' ? '\nStopping (Ctrl-C again stops by force) …' : 'Stopping …');
    stop.onForce = () => {
      reporter.message('Stopping by force …');
      running.killServices();
    };
    const lastResort = setTimeout(() => {
      running.killServices();
      reporter.message('Not everything could be stopped; the next start ends what is left.');
      process.exit(1);
    }, running.graceMs + LAST_RESORT_MS);
    try {
      await running.stop();
      reporter.message('Stopped.');
    } catch (error) {
      exitCode = 1;
      reporter.message(explain(error));
    }
    clearTimeout(lastResort);
  }
  return exitCode;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Errors that say what to do are shown as they are; of others the place where they came from is shown too. */
function explain(error: unknown): string {
  if (error instanceof SpineError || error instanceof ChildStartError) return `\n${error.message}\n`;
  return `\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`;
}
