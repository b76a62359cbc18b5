/** The pipeline that M4 debugs: it doubles what it fetches, and refuses what is then too large. */
import { z } from 'zod';
import { ErrorCategory } from '@spine/core';
import { StepResult, workflow } from '@spine/orchestration';
import type { ManagedWorkflow } from '@spine/orchestration';
import { checked } from './checked.ts';

export const DEBUG_PIPELINE = 'examples.m4_debug_pipeline';

export const debugParams = z.object({
  records: z.array(z.int().min(-1_000_000).max(1_000_000)).min(1).max(1_000),
  factor: z.int().min(-1_000).max(1_000),
  max_value: z.int(),
});

function fetchData(values: object) {
  const { records } = checked(debugParams.pick({ records: true }), values);
  return { records, count: records.length };
}

function transform(values: object) {
  const { records, factor } = checked(debugParams.pick({ records: true, factor: true }), values);
  return { multiplied: records.map((record) => record * factor) };
}

const validating = debugParams.pick({ max_value: true }).extend({ multiplied: z.array(z.int()) });

function validate(values: object): StepResult {
  const { multiplied, max_value } = checked(validating, values);
  const over = multiplied.filter((value) => value > max_value);
  if (over.length === 0) return StepResult.ok({ valid: multiplied.length });
  return StepResult.fail(`${over.join(', ')} exceed ${max_value}`, { category: ErrorCategory.DATA_QUALITY });
}

export function debugPipeline(): ManagedWorkflow {
  return workflow(DEBUG_PIPELINE, {
    domain: 'examples',
    description: 'Multiplies numbers and refuses those that become too large.',
    tags: ['example', 'playground'],
  })
    .defaults({ records: [1, 2, 3, 4, 5], factor: 2, max_value: 8 })
    .step('fetch', fetchData)
    .step('transform', transform)
    .step('validate', validate)
    .build();
}
