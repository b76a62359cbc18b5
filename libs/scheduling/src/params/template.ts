/**
 * Values of an occurrence in the params of a schedule: `"{{ week_ending }}"`. A text may hold several; names are looked
 * up in a fixed list, nothing is evaluated, and keys are left as they are.
 */
import { isJsonObject, plainDateFromInstant, WeekEnding } from '@spine/core';
import type { JsonObject, JsonValue } from '@spine/core';
import { refuse } from '../timing/issues.ts';
import { localDate } from '../timing/zone.ts';

export interface Occurrence {
  readonly scheduleId: string;
  readonly scheduleName: string;
  readonly fireAt: Date;
  /** The occurrence before; null for the first. */
  readonly previousFireAt: Date | null;
  readonly timeZone: string;
}

const VALUES = {
  /** RFC 3339, UTC. */
  fire_time: ({ fireAt }) => fireAt.toISOString(),
  /** RFC 3339, UTC; empty for the first occurrence. */
  previous_fire_time: ({ previousFireAt }) => previousFireAt?.toISOString() ?? '',
  /** The UTC date. */
  fire_date: ({ fireAt }) => plainDateFromInstant(fireAt),
  /** The date in the schedule's zone. */
  local_date: ({ fireAt, timeZone }) => localDate(fireAt, timeZone),
  /** The last Friday before the local date: the week a weekly source publishes about. */
  week_ending: ({ fireAt, timeZone }) => WeekEnding.fridayBefore(localDate(fireAt, timeZone)).date,
  schedule_id: ({ scheduleId }) => scheduleId,
  schedule_name: ({ scheduleName }) => scheduleName,
} as const satisfies Record<string, (occurrence: Occurrence) => string>;

export const TEMPLATE_VALUES = Object.keys(VALUES);

const PLACE = /\{\{\s*([^{}]*?)\s*\}\}/g;

/** @throws ValidationError naming the param that asks for a value there is none of. */
export function checkTemplate(params: JsonObject): void {
  walk(params, 'params', (text, field) => {
    for (const [, name = ''] of text.matchAll(PLACE)) {
      if (!isValueName(name))
        refuse(
          field,
          'unknown_template_value',
          `{{ ${name.slice(0, 40)} }} is not known; allowed are ${TEMPLATE_VALUES.join(', ')}`,
        );
    }
    return text;
  });
}

/** The params of one occurrence. Unknown names stay as they stand; {@link checkTemplate} has refused them. */
export function fillTemplate(params: JsonObject, occurrence: Occurrence): JsonObject {
  return walkObject(params, 'params', (text) =>
    text.replace(PLACE, (place, name: string) => (isValueName(name) ? VALUES[name](occurrence) : place)),
  );
}

function isValueName(name: string): name is keyof typeof VALUES {
  return Object.hasOwn(VALUES, name);
}

type Use = (text: string, field: string) => string;

function walkObject(value: JsonObject, field: string, use: Use): JsonObject {
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, walk(each, `${field}.${key}`, use)]),
  );
}

function walk(value: JsonValue, field: string, use: Use): JsonValue {
  if (typeof value === 'string') return use(value, field);
  if (Array.isArray(value))
    return value.map((each: JsonValue, index) => walk(each, `${field}[${index}]`, use));
  return isJsonObject(value) ? walkObject(value, field, use) : value;
}
