/** From a request for gaps to partitions that are expected and not there. */
import { expectedPartitions } from '@spine/core';
import type { Cadence, ExpectedPartition, ExpectedSchedule, PartitionTemplate, PlainDate } from '@spine/core';
import { findGaps, getExpectedSchedule, partitionKeyText } from '@spine/database';
import type { Db, GapEvidence } from '@spine/database';
import { invalid, notFound } from '../http/problem.ts';

export interface Expectation {
  readonly domain: string;
  readonly workflow?: string | undefined;
  readonly cadence?: Cadence | undefined;
  readonly template?: PartitionTemplate | undefined;
  readonly from: PlainDate;
  readonly to: PlainDate;
}

/** The partitions that a request expects. @throws HttpProblem when it does not say what, or names no schedule. */
export async function expectedBy(db: Db, expectation: Expectation): Promise<ExpectedPartition[]> {
  return expectedPartitions(await scheduleOf(db, expectation), expectation.from, expectation.to);
}

async function scheduleOf(
  db: Db,
  { domain, workflow, cadence, template }: Expectation,
): Promise<ExpectedSchedule> {
  if (workflow !== undefined) {
    if (cadence !== undefined || template !== undefined) {
      throw invalid([
        { field: 'workflow', code: 'conflict', message: 'takes the place of cadence and template' },
      ]);
    }
    const schedule = await getExpectedSchedule(db, domain, workflow);
    if (schedule === null) throw notFound('expected schedule', `${domain}/${workflow}`);
    return schedule;
  }
  if (cadence === undefined || template === undefined) {
    throw invalid([
      { field: 'workflow', code: 'required', message: 'name a workflow, or a cadence and a template' },
    ]);
  }
  return {
    domain,
    workflow: '',
    cadence,
    partitionTemplate: template,
    requiredStages: ['ANY'],
    expectedDelayHours: 0,
    preliminaryHours: 0,
    active: true,
    description: null,
  };
}

/** @throws HttpProblem unless exactly one of the two is given. */
export function evidenceOf(given: { source?: string | undefined; stage?: string | undefined }): GapEvidence {
  const { source, stage } = given;
  if (source !== undefined && stage === undefined) return { type: 'watermark', source };
  if (stage !== undefined && source === undefined) return { type: 'manifest', stage };
  throw invalid([{ field: 'source', code: 'required', message: 'give either a source or a stage' }]);
}

/** Those of the expected partitions that are not there. */
export async function gapsAmong(
  db: Db,
  domain: string,
  expected: readonly ExpectedPartition[],
  evidence: GapEvidence,
): Promise<ExpectedPartition[]> {
  const keys = expected.map(({ partitionKey }) => partitionKey);
  const missing = new Set((await findGaps(db, domain, keys, evidence)).map(partitionKeyText));
  return expected.filter(({ partitionKey }) => missing.has(partitionKeyText(partitionKey)));
}
