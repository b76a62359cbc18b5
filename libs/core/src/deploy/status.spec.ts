import { describe, expect, it } from 'vitest';
import { judgeDeployment } from './status.ts';
import type { DeployFacts, DeployProcess } from './status.ts';

const at = (minute: number): Date => new Date(Date.UTC(2026, 0, 1, 0, minute));
const WHOLE: readonly DeployProcess[] = [
  { service: 'api', version: '1.0.0', startedAt: at(2) },
  { service: 'scheduler', version: '1.0.0', startedAt: at(1) },
  { service: 'worker', version: '1.0.0', startedAt: at(3) },
  { service: 'worker', version: '1.0.0', startedAt: at(4) },
];
const without = (service: string): DeployProcess[] => WHOLE.filter((each) => each.service !== service);

describe('a deployment', () => {
  it('that is whole and of one version has no problem', () => {
    expect(judgeDeployment({ processes: WHOLE, schema: 'current' })).toEqual({
      status: 'ok',
      problems: [],
      versions: [{ version: '1.0.0', services: { api: 1, scheduler: 1, worker: 2 }, since: at(1) }],
    });
  });

  it.each<[string, DeployFacts]>([
    ['no_worker', { processes: without('worker'), schema: 'current' }],
    ['no_scheduler', { processes: without('scheduler'), schema: 'current' }],
    ['schema_behind', { processes: WHOLE, schema: 'behind' }],
    ['schema_ahead', { processes: WHOLE, schema: 'ahead' }],
    ['schema_edited', { processes: WHOLE, schema: 'edited' }],
    ['schema_unreadable', { processes: WHOLE, schema: 'unreadable' }],
  ])('has the problem %s alone', (code, facts) => {
    const { status, problems } = judgeDeployment(facts);
    expect([status, problems.map((problem) => problem.code)]).toEqual(['attention', [code]]);
  });

  it('of two versions tells both, the one that has run longest first', () => {
    const newer: DeployProcess = { service: 'worker', version: '0.9.9', startedAt: at(9) };
    const { problems, versions } = judgeDeployment({ processes: [newer, ...WHOLE], schema: 'current' });
    expect(problems).toMatchObject([{ code: 'versions_differ' }]);
    expect(problems[0]?.message).toContain('1.0.0 and 0.9.9');
    expect(versions).toMatchObject([
      { version: '1.0.0' },
      { version: '0.9.9', services: { api: 0, scheduler: 0, worker: 1 }, since: at(9) },
    ]);
  });

  it('of which nobody lives tells what is missing', () => {
    const { problems, versions } = judgeDeployment({ processes: [], schema: 'behind' });
    expect(problems.map(({ code }) => code)).toEqual(['schema_behind', 'no_worker', 'no_scheduler']);
    expect(versions).toEqual([]);
  });
});
