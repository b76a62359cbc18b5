/** What should exist, and when: a cadence, and the partitions each of its periods has. */
import { ValidationError } from '../errors/permanent.ts';
import type { ValidationIssue } from '../errors/permanent.ts';
import { canonicalJson } from '../json/canonical-json.ts';
import { addDays, parsePlainDate } from '../temporal/plain-date.ts';
import type { PlainDate } from '../temporal/plain-date.ts';
import { CADENCES, CADENCE_PLACEHOLDERS, periodNamed, periodsOf } from './cadence.ts';
import type { Cadence, Period } from './cadence.ts';

type KeyValue = string | number | boolean;
/** Names a partition of a domain, e.g. `{ week_ending: '2025-12-12', tier: 'OTC' }`. */
export type PartitionFields = Readonly<Record<string, KeyValue>>;

/**
 * How a period's partitions are named: one field holds the cadence's placeholder, such as `{week_ending}`; a list stands
 * for one partition each; anything else is taken as it is.
 */
export type PartitionTemplate = Readonly<Record<string, KeyValue | readonly KeyValue[]>>;

export interface ExpectedSchedule {
  readonly domain: string;
  readonly workflow: string;
  readonly cadence: Cadence;
  readonly partitionTemplate: PartitionTemplate;
  /** Manifest stages that a complete partition has reached; at least one. */
  readonly requiredStages: readonly string[];
  /** Hours after the end of the period, in UTC, at which its data should be there; 0 to 8,784. */
  readonly expectedDelayHours: number;
  /** Hours after that in which figures may still change; 0 to 8,784. */
  readonly preliminaryHours: number;
  /** False: nothing is expected any more. */
  readonly active: boolean;
  readonly description: string | null;
}

export interface ExpectedPartition {
  readonly partitionKey: PartitionFields;
  /** The last day of its period. */
  readonly periodEnd: PlainDate;
  readonly expectedAt: Date;
  /** From then on its figures count as final. */
  readonly finalAt: Date;
}

/** Partitions that one question may have as its answer, at the most. */
export const MAX_EXPECTED_PARTITIONS = 100_000;
const MAX_HOURS = 8_784;
const HOUR_MS = 3_600_000;
const FIELD = /^[a-z][a-z0-9_]{0,62}$/;

/** What is wrong with a schedule, by field; empty when nothing is. */
export function checkExpectedSchedule(schedule: ExpectedSchedule): ValidationIssue[] {
  const issues = [...checkTemplate(schedule.cadence, schedule.partitionTemplate)];
  if (!CADENCES.includes(schedule.cadence)) {
    issues.push({ field: 'cadence', code: 'unknown', message: `must be one of ${CADENCES.join(', ')}` });
  }
  for (const [field, hours] of [
    ['expected_delay_hours', schedule.expectedDelayHours],
    ['preliminary_hours', schedule.preliminaryHours],
  ] as const) {
    if (Number.isInteger(hours) && hours >= 0 && hours <= MAX_HOURS) continue;
    issues.push({
      field,
      code: 'out_of_range',
      message: `given ${hours}; must be whole hours from 0 to ${MAX_HOURS}`,
    });
  }
  const { requiredStages } = schedule;
  if (requiredStages.length === 0 || new Set(requiredStages).size < requiredStages.length) {
    issues.push({
      field: 'required_stages',
      code: 'invalid',
      message: 'must name at least one stage, each once',
    });
  }
  return issues;
}

/** What is wrong with a template for that cadence, by field. */
export function checkTemplate(cadence: Cadence, template: PartitionTemplate): ValidationIssue[] {
  const issues: ValidationIssue[] = [];
  const problem = (field: string, code: string, message: string): void => {
    issues.push({
      field: field === '' ? 'partition_template' : `partition_template.${field}`,
      code,
      message,
    });
  };
  const placeholder = CADENCE_PLACEHOLDERS[cadence];
  const fields = Object.entries(template);
  let combinations = 1;
  for (const [field, value] of fields) {
    if (!FIELD.test(field))
      problem(field, 'invalid_field', 'must be a lower-case letter and up to 62 of a-z, 0-9, "_"');
    const list = listed(value);
    if (list.length === 0 || new Set(list).size < list.length) {
      problem(field, 'invalid_list', 'must have at least one value, each once');
    }
    combinations *= Math.max(1, list.length);
    const braced = list.find((each) => typeof each === 'string' && /[{}]/.test(each) && each !== placeholder);
    if (braced !== undefined || (Array.isArray(value) && list.includes(placeholder))) {
      problem(
        field,
        'unknown_placeholder',
        `may hold ${placeholder} alone, as a ${cadence} cadence has it, or no braces`,
      );
    }
  }
  if (fields.filter(([, value]) => value === placeholder).length !== 1) {
    problem('', 'no_period', `must have exactly one field with the value ${placeholder}`);
  }
  if (combinations > 10_000) {
    problem('', 'too_large', `makes ${combinations} partitions a period; at most 10000 are allowed`);
  }
  return issues;
}

/**
 * The partitions of every period that ends from `from` to `to`, both included: oldest period first, lists in their order.
 *
 * @param isExpected says of a period's last day whether there is one; default always. An exchange calendar leaves its
 *   holidays out of a daily cadence this way.
 * @throws ValidationError for a range that makes more than {@link MAX_EXPECTED_PARTITIONS}, a reversed one, or a
 *   schedule that {@link checkExpectedSchedule} objects to.
 */
export function expectedPartitions(
  schedule: ExpectedSchedule,
  from: PlainDate,
  to: PlainDate,
  isExpected: (periodEnd: PlainDate) => boolean = () => true,
): ExpectedPartition[] {
  refuse(checkExpectedSchedule(schedule));
  if (!schedule.active) return [];
  const expected: ExpectedPartition[] = [];
  for (const period of periodsOf(schedule.cadence, from, to)) {
    if (!isExpected(period.end)) continue;
    expected.push(...partitionsOf(schedule, period));
    if (expected.length > MAX_EXPECTED_PARTITIONS) {
      const message = `makes more than ${MAX_EXPECTED_PARTITIONS} partitions; ask for a shorter one`;
      throw new ValidationError(`to: the range from ${from} to ${to} ${message}`, {
        issues: [{ field: 'to', code: 'too_large', message }],
      });
    }
  }
  return expected;
}

/**
 * The partitions of one period that `key` covers: those that have all of its fields with its values. A key without a
 * list's field covers all of the list.
 *
 * @throws ValidationError when `key` does not name a period of the schedule.
 */
export function partitionsCoveredBy(schedule: ExpectedSchedule, key: PartitionFields): ExpectedPartition[] {
  refuse(checkExpectedSchedule(schedule));
  const field = periodField(schedule);
  const name = Object.hasOwn(key, field) ? key[field] : undefined;
  if (typeof name !== 'string') {
    const message = `must have ${field}, which names the period`;
    throw new ValidationError(`partition_key: ${message}; given ${canonicalJson(key)}`, {
      issues: [{ field: `partition_key.${field}`, code: 'required', message }],
    });
  }
  const period = periodNamed(schedule.cadence, name, `partition_key.${field}`);
  return partitionsOf(schedule, period).filter(({ partitionKey }) =>
    Object.entries(key).every(
      ([each, value]) => Object.hasOwn(partitionKey, each) && partitionKey[each] === value,
    ),
  );
}

function refuse(issues: readonly ValidationIssue[]): void {
  const [first] = issues;
  if (first !== undefined) throw new ValidationError(`${first.field}: ${first.message}`, { issues });
}

function periodField({ cadence, partitionTemplate }: ExpectedSchedule): string {
  return (
    Object.keys(partitionTemplate).find(
      (field) => partitionTemplate[field] === CADENCE_PLACEHOLDERS[cadence],
    ) ?? ''
  );
}

function listed(value: KeyValue | readonly KeyValue[]): readonly KeyValue[] {
  return typeof value === 'object' ? value : [value];
}

function partitionsOf(schedule: ExpectedSchedule, period: Period): ExpectedPartition[] {
  let keys: PartitionFields[] = [{}];
  for (const [field, value] of Object.entries(schedule.partitionTemplate)) {
    const values = value === CADENCE_PLACEHOLDERS[schedule.cadence] ? [period.name] : listed(value);
    keys = keys.flatMap((key) => values.map((each) => ({ ...key, [field]: each })));
  }
  const over = Date.parse(`${addDays(parsePlainDate(period.end), 1)}T00:00:00Z`);
  const expectedAt = new Date(over + schedule.expectedDelayHours * HOUR_MS);
  const finalAt = new Date(expectedAt.getTime() + schedule.preliminaryHours * HOUR_MS);
  return keys.map((partitionKey) => ({ partitionKey, periodEnd: period.end, expectedAt, finalAt }));
}
