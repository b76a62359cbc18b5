/** What running Spine on this machine has around it, whatever is run: signals, settings, and a stop in good order. */
import { loadProcessSettings } from '@spine/config';
import type { Settings } from '@spine/config';
import { SpineError } from '@spine/core';
import { Launcher } from './launcher.ts';
import { ChildStartError } from './managed-child.ts';
import { StageReporter } from './stages.ts';
import { listenForStop, StopRequested } from './stop-request.ts';

/** How much longer than the grace everything may take before the launcher gives up waiting. */
const LAST_RESORT_MS = 8_000;

export interface Supervised {
  readonly settings: Settings<'launcher'>;
  readonly reporter: StageReporter;
  /** Aborted when the user asks to stop. */
  readonly signal: AbortSignal;
  /** A launcher that is stopped at the end. An earlier one has to be stopped before. */
  readonly launcher: () => Launcher;
}

/**
 * Does the work until it ends or the user asks to stop; then stops what the launcher has started.
 * @param root folder of the project
 * @returns the exit code: 0 after a stop that was asked for, 1 otherwise
 */
export async function supervise(root: string, work: (own: Supervised) => Promise<void>): Promise<number> {
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
    const { signal } = stop;
    await work({
      settings,
      reporter,
      signal,
      launcher: () => {
        launcher = new Launcher({ settings, reporter, root, signal });
        return launcher;
      },
    });
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

/** Errors that say what to do are shown as they are; of others the place where they came from is shown too. */
function explain(error: unknown): string {
  if (error instanceof SpineError || error instanceof ChildStartError) return `\n${error.message}\n`;
  return `\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`;
}
