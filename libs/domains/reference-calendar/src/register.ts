import { z } from 'zod';
import { IdempotencyLevel } from '@spine/core';
import { dataFilePath } from '@spine/execution';
import type { HandlerRegistry } from '@spine/execution';
import { loadCalendarFile } from './load-calendar.ts';
import { LOAD_CALENDAR } from './vocabulary.ts';

export interface ReferenceCalendarOptions {
  /** The folders `file_path` may name files of; others are refused. */
  readonly dataRoots: readonly string[];
}

const params = z.strictObject({
  file_path: dataFilePath.describe('A calendar file: relative to a data root, or absolute inside one.'),
});

/** Registers the handlers of the exchange calendars. */
export function registerReferenceCalendar(
  registry: HandlerRegistry,
  options: ReferenceCalendarOptions,
): HandlerRegistry {
  const dataRoots = [...options.dataRoots];
  return registry.registerOperation(
    LOAD_CALENDAR,
    {
      description:
        'Loads the holidays of an exchange and year from a JSON file, as a capture beside earlier ones.',
      params,
      tags: ['reference', 'calendar'],
      idempotency: IdempotencyLevel.L2_INPUT,
    },
    (given, ctx) => loadCalendarFile(given, ctx, dataRoots),
  );
}
