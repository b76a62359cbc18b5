/** `spine workflow lint`, `dry-run` and `graph`: of a file without an API, or of a published workflow. */
import type { Command } from 'commander';
import { present } from '@spine/core';
import type { WorkflowDryRun, WorkflowLint } from '@spine/sdk';
import { stateStyle } from '../../frame/cells.ts';
import { addCommand, choice, option, repeatable } from '../../frame/command.ts';
import type { Call } from '../../frame/command.ts';
import type { CliContext } from '../../frame/context.ts';
import { EXIT } from '../../frame/exit-codes.ts';
import type { ExitCode } from '../../frame/exit-codes.ts';
import { readParams } from '../../frame/input.ts';
import { manyLines, oneLine } from '../../frame/printable.ts';
import { UsageError } from '../../frame/usage-error.ts';
import { PARAMS_HELP } from '../runs/submit.ts';
import { definitionOf, isFile, lintFile, readWorkflowFile } from './file.ts';

const FORMATS = ['ascii', 'mermaid', 'dot'] as const;

function lintText({ workflow, diagnostics, counts }: WorkflowLint, { out: { paint } }: CliContext): string {
  const lines = diagnostics.map(({ code, severity, field, message, line, column }) => {
    const place = line === null ? '' : `${line}:${column ?? 1} `;
    const style = stateStyle(severity);
    return `${place}${style === undefined ? severity : paint(style, severity)} ${code} ${oneLine(field === '' ? workflow : field)}: ${oneLine(message)}\n`;
  });
  const { error = 0, warning = 0, info = 0 } = counts;
  return `${lines.join('')}${oneLine(workflow)}: ${error} errors, ${warning} warnings, ${info} infos\n`;
}

async function lint({ arg, options }: Call, context: CliContext): Promise<ExitCode> {
  const target = arg(0);
  const ignore = [...(options.texts('ignore') ?? [])];
  let report: WorkflowLint;
  if (!isFile(target)) {
    report = await (await context.client()).workflows.lint(target, { ignore });
  } else {
    const file = await readWorkflowFile(context.io, target);
    if (!options.flag('remote')) report = await lintFile(file, target, ignore);
    else if (file.format === 'json') throw new UsageError('--remote takes a YAML file');
    else report = await (await context.client()).workflows.lintPosted({ yaml_content: file.text, ignore });
  }
  await context.out.answer(report, () => lintText(report, context));
  return report.passed ? EXIT.ok : EXIT.failed;
}

/** Of a file: there is no version of it, and nobody has measured it. */
type Forecast = Omit<WorkflowDryRun, 'version' | 'estimated_from_hours'>;

async function forecastOf({ arg, args, options }: Call, context: CliContext): Promise<Forecast> {
  const [, ...more] = args;
  const params = await readParams(context.io, more);
  const environment = options.text('environment');
  if (!isFile(arg(0))) {
    const body = present({ params, environment, version: options.whole('at', 1) });
    return (await context.client()).workflows.dryRun(arg(0), body);
  }
  const workflow = await definitionOf(await readWorkflowFile(context.io, arg(0)));
  const { dryRun, dryRunToJson } = await import('@spine/orchestration');
  return dryRunToJson(dryRun(workflow, present({ params, environment })));
}

function forecastText(forecast: Forecast, { out }: CliContext): string {
  const { steps, issues, total_seconds, elapsed_seconds, total_cost, unestimated } = forecast;
  const plan = out.tableText(
    [
      { head: 'STEP', cell: ({ name }) => name },
      { head: 'WAVE', cell: ({ wave }) => wave, align: 'right' },
      { head: 'KIND', cell: ({ kind }) => kind },
      { head: 'FORECAST', cell: ({ forecast }) => forecast },
      { head: 'SECONDS', cell: ({ seconds }) => seconds ?? '?', align: 'right' },
      { head: 'NOTES', cell: ({ notes }) => notes.join('; ') },
    ],
    steps,
    'no steps',
  );
  const open = unestimated.length === 0 ? '' : `, ${unestimated.length} steps without an estimate`;
  const total = `${total_seconds} s of work in ${elapsed_seconds} s, cost ${total_cost}${open}\n`;
  const wrong = issues.map(
    ({ field, message }) => `${out.paint('red', 'issue')} ${oneLine(field)}: ${oneLine(message)}\n`,
  );
  return `${plan}\n${total}${wrong.join('')}`;
}

async function dryRunCommand(call: Call, context: CliContext): Promise<ExitCode> {
  const forecast = await forecastOf(call, context);
  await context.out.answer(forecast, () => forecastText(forecast, context));
  return forecast.is_valid ? EXIT.ok : EXIT.failed;
}

async function graph({ arg, options }: Call, context: CliContext): Promise<void> {
  const format = options.choice('format', FORMATS) ?? 'ascii';
  let drawing: string;
  if (isFile(arg(0))) {
    const workflow = await definitionOf(await readWorkflowFile(context.io, arg(0)));
    const tools = await import('@spine/orchestration');
    const draw = { ascii: tools.visualizeAscii, mermaid: tools.visualizeMermaid, dot: tools.visualizeDot };
    drawing = draw[format](workflow);
  } else {
    const query = present({ format, version: options.whole('at', 1) });
    drawing = await (await context.client()).workflows.draw(arg(0), query);
  }
  await context.out.answer({ format, drawing }, () => `${manyLines(drawing).trimEnd()}\n`);
}

export function registerChecks(workflow: Command, context: CliContext): void {
  const at = option('--at <version>', 'of a published workflow: this version (default: the newest)');
  addCommand(workflow, context, {
    usage: 'lint <file-or-name>',
    summary: 'say what is wrong, or likely to go wrong; exit code 1 with errors',
    details: 'A file (*.yaml, *.json, - for standard input) is looked at here, without an API.',
    options: [
      repeatable('--ignore <code>', 'leave a rule out, such as W101; may be repeated'),
      option('--remote', 'of a YAML file: by the API, which knows the handlers'),
    ],
    examples: ['workflow lint etl.workflow.yaml', 'workflow lint etl.filings --json'],
    run: lint,
  });
  addCommand(workflow, context, {
    usage: 'dry-run <file-or-name> [params...]',
    summary: 'say which steps would run, without running any; exit code 1 when it could not',
    details: PARAMS_HELP,
    options: [at, option('--environment <name>', 'where it would run (default: production)')],
    examples: ['workflow dry-run etl.workflow.yaml date=2026-01-02'],
    run: dryRunCommand,
  });
  addCommand(workflow, context, {
    usage: 'graph <file-or-name>',
    summary: 'draw a workflow',
    options: [choice('--format <format>', 'default: ascii', FORMATS), at],
    examples: ['workflow graph etl.filings', 'workflow graph etl.workflow.yaml --format mermaid'],
    run: graph,
  });
}
