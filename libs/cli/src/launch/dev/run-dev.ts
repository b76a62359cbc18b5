/**
 * `spine dev`: everything of `spine start`, and what is changed is compiled and restarted.
 *
 * 1. Code that cannot be compiled, or does not start, ends nothing: what is wrong is said, and the next change is another
 *    try. What can still run goes on as it was.
 * 2. A service owes new code from the first change that touches it until a process with that change is ready.
 * 3. One thing at a time: changes that come meanwhile are taken up afterwards.
 */
import { SpineError } from '@spine/core';
import type { Service } from '../fleet.ts';
import type { Launcher } from '../launcher.ts';
import { ChildStartError } from '../managed-child.ts';
import type { StageReporter } from '../stages.ts';
import { supervise } from '../supervise.ts';
import type { Supervised } from '../supervise.ts';
import { buildServices } from './build.ts';
import { MIGRATIONS, pathsText, planOf } from './changes.ts';
import { readPackages, servedPackages } from './packages.ts';
import type { ServedPackage } from './packages.ts';
import { SourceWatch } from './source-watch.ts';

/**
 * Runs until it is asked to stop or cannot go on.
 * @param root folder of the project
 * @returns the exit code: 0 after a stop that was asked for, 1 otherwise
 */
export function runDev(root: string): Promise<number> {
  return supervise(root, async (own) => {
    const packages = servedPackages(readPackages(root));
    const folders = [...packages.map(({ dir }) => `${dir}/src`), MIGRATIONS];
    const watch = await SourceWatch.open({ root, folders });
    try {
      await new DevSession(root, own, packages, watch).run();
    } finally {
      watch.close();
    }
  });
}

/** Told by the stage of the build; what is wrong was shown. */
class BuildBroken extends Error {
  override readonly name = 'BuildBroken';
}

class DevSession {
  readonly #root: string;
  readonly #own: Supervised;
  readonly #packages: readonly ServedPackage[];
  readonly #watch: SourceWatch;
  readonly #say: (text: string) => void;
  readonly #reporter: StageReporter;
  readonly #owed = new Set<Service>();

  constructor(root: string, own: Supervised, packages: readonly ServedPackage[], watch: SourceWatch) {
    this.#root = root;
    this.#own = own;
    this.#packages = packages;
    this.#watch = watch;
    this.#reporter = own.reporter;
    this.#say = (text) => own.reporter.message(text);
  }

  async run(): Promise<void> {
    const launcher = await this.#startAll();
    this.#say('What you change is compiled and restarted.\n');
    for (;;) await this.#take(await this.#change(), launcher);
  }

  async #startAll(): Promise<Launcher> {
    for (;;) {
      if (await this.#build('every service is up to date')) {
        const launcher = this.#own.launcher();
        try {
          this.#say(await launcher.start());
          return launcher;
        } catch (error) {
          if (!(error instanceof ChildStartError)) throw error;
          this.#say(`\n${error.message}\n`);
          await launcher.stop();
        }
      }
      this.#say('· the next change is another try');
      await this.#change();
    }
  }

  /** Waits for one, and says it. */
  async #change(): Promise<readonly string[]> {
    const paths = await this.#watch.changes(this.#own.signal);
    this.#say(`· changed: ${pathsText(paths)}`);
    return paths;
  }

  async #take(paths: readonly string[], launcher: Launcher): Promise<void> {
    const { migrates, services } = planOf(paths, this.#packages, this.#owed);
    for (const each of services) this.#owed.add(each);
    if (migrates && !(await this.#migrate(launcher))) return;
    if (services.size === 0) return;
    if (!(await this.#build(`restarting ${[...services].join(', ')}`))) return;
    const since = performance.now();
    const { running, failed } = await launcher.restart(services);
    this.#owed.clear();
    for (const { service, error } of failed) {
      this.#owed.add(service);
      this.#say(`✗ ${error.message}\n· the next change is another try`);
    }
    if (running.length > 0) {
      this.#say(`✓ ${running.join(', ')} with the new code (${secondsSince(since)} s)`);
    }
  }

  async #migrate(launcher: Launcher): Promise<boolean> {
    try {
      const { applied, version } = await launcher.migrate();
      this.#say(`✓ schema version ${version}, ${applied.length} applied`);
      return true;
    } catch (error) {
      this.#own.signal.throwIfAborted();
      this.#say(`✗ ${error instanceof SpineError ? error.message : String(error)}`);
      return false;
    }
  }

  /** @returns whether it worked; else what is wrong was said */
  async #build(next: string): Promise<boolean> {
    try {
      await this.#reporter.run(
        'build',
        async () => {
          const outcome = await buildServices(this.#root, this.#own.signal);
          if (outcome.type === 'built') return;
          const { errors, lines } = outcome;
          throw new BuildBroken(
            `${errors === 1 ? '1 error' : `${errors} errors`}; what runs is the code of before\n` +
              lines.map((line) => `  ${line}`).join('\n'),
          );
        },
        () => next,
      );
      return true;
    } catch (error) {
      if (!(error instanceof BuildBroken)) throw error;
      this.#say(`✗ ${error.message}`);
      return false;
    }
  }
}

function secondsSince(from: number): string {
  return ((performance.now() - from) / 1_000).toFixed(1);
}
