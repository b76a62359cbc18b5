/**
 * The benchmark: suites that share their servers, settings and report. What was measured counts only after the rows
 * were counted; one that does not add up ends the run with an error.
 *
 *   npm run bench [-- <suite> ...] [options]      `npm run bench -- --help` lists both
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadNow, openLab } from './lab.ts';
import type { Section } from './model.ts';
import { parseOptions, UsageError, USAGE } from './options.ts';
import type { Options } from './options.ts';
import { renderReport, renderSection } from './report.ts';
import type { Machine } from './report.ts';
import { BY_DEFAULT, SUITES } from './suites/index.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function describeMachine(): Promise<Machine> {
  const load = loadNow();
  const lab = await openLab();
  try {
    return await lab.machine(load);
  } finally {
    await lab.close();
  }
}

async function run(options: Options): Promise<void> {
  const startedAt = new Date().toISOString();
  const machine = await describeMachine();
  const sections: Section[] = [];
  for (const name of options.suites) {
    const suite = SUITES.find((each) => each.name === name);
    if (suite === undefined) throw new UsageError(`there is no suite ${JSON.stringify(name)}`);
    say(`\n${suite.name}: ${suite.about}`);
    const section = await suite.run({ options, say });
    sections.push(section);
    say(`\n${renderSection(section)}`);
  }
  if (options.out === null) return;
  const report = { machine, startedAt, sections };
  await mkdir(options.out, { recursive: true });
  await writeFile(join(options.out, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(join(options.out, 'report.md'), renderReport(report));
  say(`\nwritten: ${join(options.out, 'report.md')} and report.json`);
}

const args = process.argv.slice(2);
const suitesText = SUITES.map(({ name, about }) => `  ${name.padEnd(16)}  ${about}`).join('\n');
if (args.includes('--help')) {
  say(`${USAGE}\nsuites (without one: ${BY_DEFAULT.join(', ')}; all: every one)\n${suitesText}`);
} else {
  try {
    await run(
      parseOptions(
        args,
        SUITES.map(({ name }) => name),
        BY_DEFAULT,
      ),
    );
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${USAGE}`);
    process.exitCode = 2;
  }
}
