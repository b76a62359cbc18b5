/** Every example, from what is read first to what puts everything together. */
import type { HandlerRegistry } from '@spine/execution';
import type { WorkflowRegistry } from '@spine/orchestration';
import { a2StockSplit } from './a2-stock-split.ts';
import { a3BitemporalTracker } from './a3-bitemporal-tracker.ts';
import { b1HelloWorld } from './b1-hello-world.ts';
import { b2CsvLoader } from './b2-csv-loader.ts';
import { b3MultiSourceMerge } from './b3-multi-source-merge.ts';
import { b4DailyReport } from './b4-daily-report.ts';
import { b5FeatureFlags } from './b5-feature-flags.ts';
import type { Example } from './example.ts';
import type { ExampleModule, ExampleOptions } from './example-module.ts';
import { i1SecFilingEtl } from './i1-sec-filing-etl.ts';
import { i2Portfolio } from './i2-portfolio.ts';
import { i3IdempotentBackfill } from './i3-idempotent-backfill.ts';
import { i4YamlWorkflow } from './i4-yaml-workflow.ts';
import { i5CircuitProtected } from './i5-circuit-protected.ts';
import { m1SelfHealing } from './m1-self-healing.ts';
import { m4PlaygroundDebugging } from './m4-playground-debugging.ts';

const MODULES: readonly ExampleModule[] = [
  b1HelloWorld,
  b2CsvLoader,
  b3MultiSourceMerge,
  b4DailyReport,
  b5FeatureFlags,
  i1SecFilingEtl,
  i2Portfolio,
  i3IdempotentBackfill,
  i4YamlWorkflow,
  i5CircuitProtected,
  a2StockSplit,
  a3BitemporalTracker,
  m1SelfHealing,
  m4PlaygroundDebugging,
];

export const EXAMPLES: readonly Example[] = MODULES.map(({ example }) => example);

/**
 * Registers what every example runs, for `WorkflowRegistry.registerHandlers`.
 * @throws ConfigError for a name that is taken.
 */
export function registerExamples(
  handlers: HandlerRegistry,
  workflows: WorkflowRegistry,
  options: ExampleOptions = {},
): void {
  for (const { register } of MODULES) register({ handlers, workflows }, options);
}
