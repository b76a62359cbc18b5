import { describe, expect, it } from 'vitest';
import { UsageError } from '../../frame/usage-error.ts';
import { FINDING_IDS, findingsOf } from '../finding.ts';
import type { Finding, Severity } from '../finding.ts';
import { scrubber } from '../scrub.ts';
import { proposalsFor, remedyOf } from './remedy.ts';
import { repair } from './repair.ts';
import type { Fix, Repair } from './repair.ts';

const database = findingsOf('database');
const work = findingsOf('work');

const pending = database.error(
  'database_migrations',
  { message: '1 migration pending', measured: { pending: ['0002_more.sql'] } },
  'spine db migrate',
);
const edited = database.error(
  'database_migrations',
  { message: 'migration was changed', measured: { edited: '0001_runs.sql' } },
  'restore that file',
);
const leases = work.error('work_leases', { message: '2 runs held', measured: {} }, 'start a scheduler');

function finding(id: Finding['id'], severity: Severity): Finding {
  return { id, subject: 'work', severity, message: id, measured: {}, fix: null };
}

describe('what the doctor puts right itself', () => {
  it('is what takes nothing from anybody', () => {
    const own = FINDING_IDS.filter((id) => remedyOf(finding(id, 'error')) !== null);
    expect(own).toEqual(['redis_policy', 'work_leases', 'work_holds']);
    expect(remedyOf(pending)).toBe('migrate');
    expect(remedyOf(edited)).toBeNull();
  });

  it('is nothing of what is fine, or only a note', () => {
    for (const severity of ['ok', 'info'] as const) {
      expect(proposalsFor([finding('redis_policy', severity), finding('work_leases', severity)])).toEqual([]);
    }
  });

  it('is proposed once, what others stand on first', () => {
    const proposals = proposalsFor([leases, leases, edited, pending]);
    expect(proposals.map(({ remedy, findings }) => [remedy, findings.length])).toEqual([
      ['migrate', 1],
      ['take_runs_back', 2],
    ]);
  });
});

describe('repairing', () => {
  const told: Fix[] = [];
  const how = (more: Partial<Repair>): Repair => ({
    ask: () => Promise.resolve(true),
    carryOut: () => Promise.resolve('done it'),
    look: () => Promise.resolve([]),
    onFix: (fix) => told.push(fix),
    signal: new AbortController().signal,
    clean: scrubber(['hunter2']),
    ...more,
  });

  it('goes on after what fails, hides secrets, and says what is found then', async () => {
    const carryOut: Repair['carryOut'] = (remedy) =>
      remedy === 'migrate' ? Promise.reject(new Error('no rights with hunter2')) : Promise.resolve('taken');
    const { fixes, findings } = await repair(
      [pending, leases],
      how({ carryOut, look: () => Promise.resolve([pending]) }),
    );
    expect(fixes).toEqual([
      {
        remedy: 'migrate',
        findings: ['database_migrations'],
        outcome: 'failed',
        message: 'no rights with [REDACTED]',
      },
      { remedy: 'take_runs_back', findings: ['work_leases'], outcome: 'done', message: 'taken' },
    ]);
    expect(told).toEqual(fixes);
    expect(findings).toEqual([pending]);
  });

  it('does nothing that was declined, and does not look again for it', async () => {
    const never = (): Promise<never> => Promise.reject(new Error('was called'));
    const declined = await repair(
      [leases],
      how({ ask: () => Promise.resolve(false), carryOut: never, look: never }),
    );
    expect(declined).toMatchObject({ fixes: [{ outcome: 'declined' }], findings: [leases] });
  });

  it('ends where nobody can be asked, and with Ctrl-C', async () => {
    const nobody = (): Promise<never> => Promise.reject(new UsageError('no terminal'));
    await expect(repair([leases], how({ ask: nobody }))).rejects.toThrow('no terminal');
    const stop = new AbortController();
    const interrupted: Repair['carryOut'] = () => {
      stop.abort(new Error('interrupted'));
      return Promise.reject(new Error('the connection was closed'));
    };
    await expect(repair([leases], how({ carryOut: interrupted, signal: stop.signal }))).rejects.toThrow(
      'interrupted',
    );
  });
});
