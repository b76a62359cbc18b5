import { describe, expect, it } from 'vitest';
import type {
  DatabaseHealth,
  LockRecord,
  SchedulingStatus,
  ServerFacts,
  WorkerRecord,
} from '@spine/database';
import type { RedisFacts } from '@spine/execution';
import type { Finding } from '../finding.ts';
import type { UrlOrigin } from '../../frame/context.ts';
import { judgeApi, judgeVersions } from './api.ts';
import {
  judgeGrants,
  judgeIndexes,
  judgeLoad,
  judgeMigrations,
  judgeTables,
  judgeTransactions,
} from './database.ts';
import { judgeFolders, judgeNode, judgeSecretFiles, judgeSettings } from './environment.ts';
import type { Folder } from './environment.ts';
import { judgeSchedulers, judgeWorkers } from './processes.ts';
import { judgeRedis } from './redis.ts';
import { judgeServer } from './server.ts';
import { isAtLeast, versionParts } from './version.ts';
import {
  judgeDeadLetters,
  judgeHolds,
  judgeLost,
  judgePausedLanes,
  judgeWaiting,
  judgeWorkflows,
} from './work.ts';

const NOW = new Date('2026-01-02T03:04:05Z');
const ago = (seconds: number): Date => new Date(NOW.getTime() - seconds * 1_000);

/** `id severity` of each, those that are fine left out. */
function said(findings: readonly Finding[]): string[] {
  return findings.filter(({ severity }) => severity !== 'ok').map(({ id, severity }) => `${id} ${severity}`);
}

/** What somebody has to act on says how. */
function expectFixes(findings: readonly Finding[]): void {
  for (const { id, severity, fix } of findings) {
    if (severity === 'warning' || severity === 'error') expect(fix, id).toMatch(/\S/);
  }
}

const SERVER: ServerFacts = {
  versionNumber: 180_004,
  version: '18.4',
  fsync: 'on',
  fullPageWrites: 'on',
  synchronousCommit: 'on',
  autovacuum: 'on',
  inRecovery: false,
  now: NOW,
  loginRole: 'spine',
  loginIsSuperuser: false,
  applicationRole: 'usable',
};

describe('a server', () => {
  it('that is as it should be has nothing to say', () => {
    expect(said(judgeServer(SERVER, 5_000))).toEqual([]);
    expect(
      said(judgeServer({ ...SERVER, versionNumber: 150_000, synchronousCommit: 'remote_apply' }, -5_000)),
    ).toEqual([]);
  });

  it.each([
    [{ versionNumber: 149_999 }, 'database_version error'],
    [{ fsync: 'off' }, 'database_durability error'],
    [{ synchronousCommit: 'off' }, 'database_durability error'],
    [{ fullPageWrites: 'off' }, 'database_durability error'],
    [{ inRecovery: true }, 'database_standby error'],
    [{ applicationRole: 'missing' }, 'database_role error'],
    [{ applicationRole: 'not_granted' }, 'database_role error'],
    [{ loginIsSuperuser: true }, 'database_role info'],
    [{ autovacuum: 'off' }, 'database_autovacuum warning'],
  ] as const)('with %j says so', (more, expected) => {
    const findings = judgeServer({ ...SERVER, ...more }, 0);
    expect(said(findings)).toEqual([expected]);
    expectFixes(findings);
  });

  it('whose clock is too far away says so, in whichever direction', () => {
    for (const drift of [5_001, -5_001]) {
      expect(said(judgeServer(SERVER, drift))).toEqual(['database_clock warning']);
    }
  });
});

const FILE = { version: 2, name: '0002_b.sql', sql: '', checksum: 'x' };
const HEALTH: DatabaseHealth = {
  status: 'ok',
  problems: [],
  serverVersion: '18.4',
  sizeBytes: 1,
  deadlocks: 0,
  now: NOW,
  connections: 5,
  maxConnections: 100,
  waitingForLocks: 0,
  cacheHitRatio: 1,
  transactionAge: 1,
};

describe('a database', () => {
  it.each([
    [{ type: 'apply', pending: [] }, []],
    [{ type: 'apply', pending: [FILE] }, ['database_migrations error']],
    [{ type: 'edited', name: '0001_a.sql' }, ['database_migrations error']],
    [{ type: 'unknown', name: '0009_z.sql' }, ['database_migrations error']],
  ] as const)('whose plan is %j', (plan, expected) => {
    expect(said([judgeMigrations({ applied: [], plan })])).toEqual(expected);
  });

  it('names the tables whose rights are wrong', () => {
    expect(said(judgeGrants({ unusable: [], rewritable: [] }))).toEqual([]);
    const findings = judgeGrants({ unusable: ['runs'], rewritable: ['run_events'] });
    expect(findings.map(({ fix }) => fix)).toEqual([
      'GRANT SELECT, INSERT ON runs TO spine_app;',
      'REVOKE UPDATE, DELETE, TRUNCATE ON run_events FROM spine_app, PUBLIC;',
    ]);
  });

  it.each([
    ['connections_nearly_used_up', 'warning'],
    ['many_wait_for_locks', 'warning'],
    ['reads_from_disk', 'warning'],
    ['freezing_is_late', 'error'],
  ] as const)('with the problem %s: %s', (code, severity) => {
    const findings = judgeLoad({ ...HEALTH, problems: [{ code, message: 'm' }] });
    expect(said(findings)).toEqual([`database_load ${severity}`]);
    expectFixes(findings);
    expect(said(judgeLoad(HEALTH))).toEqual([]);
  });

  it('names open transactions without what they do', () => {
    const open = { pid: 7, application: 'psql', role: 'ann', state: 'idle in transaction', seconds: 400 };
    expect(said([judgeTransactions([])])).toEqual([]);
    const finding = judgeTransactions([open]);
    expect(finding).toMatchObject({
      severity: 'warning',
      measured: { transactions: 1, longest_seconds: 400, pids: ['7'] },
      fix: expect.stringContaining('pg_terminate_backend(7)') as string,
    });
  });

  it('names bloated tables and invalid indexes', () => {
    const table = {
      table: 'runs',
      liveRows: 1,
      deadRows: 9_999,
      deadRatio: 0.9999,
      totalBytes: 0,
      tableBytes: 0,
      indexBytes: 0,
      toastBytes: 0,
      sequentialScans: 0,
      indexScans: 0,
      lastVacuumAt: null,
      lastAnalyzeAt: null,
    };
    expect(said([judgeTables([{ ...table, hint: 'none' }]), judgeIndexes([])])).toEqual([]);
    expect(judgeTables([{ ...table, hint: 'vacuum' }]).fix).toBe('VACUUM (ANALYZE) runs;');
    expect(judgeIndexes([{ index: 'i', table: 'runs' }]).fix).toContain('REINDEX INDEX CONCURRENTLY i;');
  });
});

const REDIS: RedisFacts = {
  version: '7.0.15',
  maxmemoryPolicy: 'noeviction',
  usedMemoryBytes: 79,
  maxmemoryBytes: 100,
  appendOnly: true,
  snapshots: true,
  lastSaveWorked: true,
  role: 'master',
  isLoading: false,
  latencyMs: 50,
  driftMs: 0,
};

describe('a Redis', () => {
  const judged = (more: Partial<RedisFacts>): Finding[] =>
    judgeRedis({ type: 'reached', address: 'r', facts: { ...REDIS, ...more } });

  it('that is as it should be has nothing to say', () => {
    expect(said(judged({}))).toEqual([]);
    expect(said(judged({ maxmemoryBytes: 0, usedMemoryBytes: 10 ** 12 }))).toEqual([]);
  });

  it.each([
    [{ version: '4.0.14' }, 'redis_version error'],
    [{ version: '6.0.16' }, 'redis_version warning'],
    [{ version: null }, 'redis_version info'],
    [{ maxmemoryPolicy: 'allkeys-lru' }, 'redis_policy error'],
    [{ maxmemoryPolicy: null }, 'redis_policy info'],
    [{ appendOnly: false }, 'redis_persistence warning'],
    [{ appendOnly: false, snapshots: null }, 'redis_persistence info'],
    [{ lastSaveWorked: false }, 'redis_persistence error'],
    [{ usedMemoryBytes: 80 }, 'redis_memory warning'],
    [{ usedMemoryBytes: 95 }, 'redis_memory error'],
    [{ latencyMs: 50.1 }, 'redis_latency warning'],
    [{ role: 'slave' }, 'redis_role error'],
    [{ isLoading: true }, 'redis_role warning'],
    [{ driftMs: -5_001 }, 'redis_clock warning'],
  ] as const)('with %j says so', (more, expected) => {
    const findings = judged(more);
    expect(said(findings)).toEqual([expected]);
    expectFixes(findings);
  });

  it('that is not there is an error, and none at all is none', () => {
    expect(said(judgeRedis({ type: 'unreachable', address: 'r', why: 'w' }))).toEqual([
      'redis_reachable error',
    ]);
    expect(said(judgeRedis({ type: 'none' }))).toEqual(['redis_reachable info']);
  });
});

const WORKER: WorkerRecord = {
  workerId: 'w',
  hostname: 'h',
  pid: 1,
  version: '1.0.0',
  lanes: ['default'],
  handlers: [],
  slots: 10,
  running: 1,
  status: 'active',
  isLive: true,
  startedAt: NOW,
  lastSeenAt: NOW,
};
const UNSERVED = { lane: 'gpu', kind: 'task', name: 'train', due: 3, oldestDueAt: ago(90) } as const;

describe('workers', () => {
  const judged = (workers: readonly WorkerRecord[], served: boolean | null = null): Finding[] =>
    judgeWorkers({
      now: NOW,
      workers,
      unserved: served === null ? [] : [{ ...UNSERVED, laneIsServed: served }],
    });

  it('of one version that serve what is due have nothing to say', () => {
    expect(said(judged([WORKER, { ...WORKER, isLive: false, status: 'stopped', version: '0.9.0' }]))).toEqual(
      [],
    );
  });

  it('none of which is live are worse when work is due', () => {
    expect(said(judged([]))).toEqual(['workers_live warning']);
    expect(said(judged([], false))).toEqual(['workers_live error', 'workers_unserved error']);
  });

  it('of two versions, or silent, are told', () => {
    const others = [
      { ...WORKER, version: '1.1.0' },
      { ...WORKER, isLive: false },
    ];
    expect(said(judged([WORKER, ...others]))).toEqual(['workers_silent info', 'workers_versions warning']);
  });

  it('that lack a lane or a handler are told which', () => {
    expect(judged([WORKER], false).at(-1)?.fix).toContain('SPINE_LANES=gpu');
    expect(judged([WORKER], true).at(-1)?.fix).toContain('has the handler');
  });
});

describe('schedulers', () => {
  const status = (late: number): SchedulingStatus => ({
    now: NOW,
    late,
    oldestDueAt: late === 0 ? null : ago(60),
    active: 4,
    paused: 0,
    lastDecidedAt: null,
    lastDecidedBy: null,
  });
  const lock: LockRecord = {
    key: 'scheduler:h:1',
    owner: 'h:1',
    token: 1,
    acquiredAt: NOW,
    renewedAt: NOW,
    expiresAt: NOW,
    active: true,
    note: null,
  };

  it.each([
    [0, [lock], []],
    [0, [{ ...lock, active: false }], ['schedulers_live error']],
    [2, [lock], ['schedules_overdue warning']],
    [2, [], ['schedulers_live error', 'schedules_overdue error']],
  ])('with %i late and locks %j', (late, locks, expected) => {
    const findings = judgeSchedulers({ status: status(late), locks });
    expect(said(findings)).toEqual(expected);
    expectFixes(findings);
  });
});

describe('work', () => {
  const runs = [{ runId: 'r', since: ago(70) }];

  it('that waits, or that a worker took with it, is told with its first run', () => {
    const none = { now: NOW, runs: [], isCut: false };
    expect(said([judgeLost(none), judgeWaiting(none)])).toEqual([]);
    const findings = [
      judgeLost({ now: NOW, runs, isCut: true }),
      judgeWaiting({ now: NOW, runs, isCut: false }),
    ];
    expect(said(findings)).toEqual(['work_leases error', 'work_waiting warning']);
    expect(findings.map(({ measured }) => measured)).toEqual(
      Array.from({ length: 2 }, () => ({ runs: 1, oldest_seconds: 70, run_ids: ['r'] })),
    );
    expect(findings[0]?.message).toContain('1 run or more');
    expect(findings[1]?.fix).toBe('spine run explain r');
  });

  it('of workflows, keys, letters and lanes', () => {
    const none = { events: 0, workflows: 0, oldestDueAt: null };
    expect(
      said([judgeWorkflows(none, NOW), judgeHolds({ holds: 0, keys: [] }), ...judgePausedLanes([])]),
    ).toEqual([]);
    const findings = [
      judgeWorkflows({ events: 3, workflows: 1, oldestDueAt: ago(70) }, NOW),
      judgeHolds({ holds: 1, keys: ['k'] }),
      judgeDeadLetters({ pending: 1, oldestAt: ago(5), handlers: ['task:x'], now: NOW }),
      ...judgePausedLanes([{ lane: 'slow', pausedAt: NOW, pausedBy: 'ann', note: null }]),
    ];
    expect(said(findings)).toEqual([
      'work_workflows error',
      'work_holds warning',
      'work_dead_letters warning',
      'work_paused_lanes info',
    ]);
    expectFixes(findings);
    expect(said([judgeDeadLetters({ pending: 0, oldestAt: null, handlers: [], now: NOW })])).toEqual([]);
  });
});

describe('the environment', () => {
  it.each([
    ['22.12.0', []],
    ['24.1.0', []],
    ['22.11.9', ['node_version error']],
    ['20.19.0', ['node_version error']],
    ['what', ['node_version error']],
  ])('with Node %s', (version, expected) => {
    expect(said([judgeNode(version)])).toEqual(expected);
  });

  it('tells what is set and where, and what is wrong with it', () => {
    const set = [{ name: 'SPINE_PORT', source: '.env' }];
    const usable = judgeSettings({ type: 'usable', tier: 'minimal', warnings: ['w'] }, 'launcher', set);
    expect(said(usable)).toEqual(['settings_warning warning', 'settings_sources info']);
    expect(usable.at(-1)?.measured).toEqual({ settings: ['SPINE_PORT (.env)'] });
    expect(said(judgeSettings({ type: 'unusable', problem: 'p' }, 'api', []))).toContain('settings error');
  });

  it('minds who may read a secret', () => {
    expect(said([judgeSecretFiles([{ path: 'a', mode: 0o100600 }])])).toEqual([]);
    for (const mode of [0o640, 0o604, 0o620]) {
      expect(judgeSecretFiles([{ path: 'a', mode }]).fix, mode.toString(8)).toBe('chmod 600 a');
    }
  });

  it.each([
    [
      { setting: 'SPINE_DATA_ROOTS', state: 'missing', isExplicit: false, isMade: false },
      ['data_roots info'],
    ],
    [
      { setting: 'SPINE_DATA_ROOTS', state: 'missing', isExplicit: true, isMade: false },
      ['data_roots warning'],
    ],
    [{ setting: 'SPINE_DATA_DIR', state: 'missing', isExplicit: false, isMade: true }, []],
    [
      { setting: 'SPINE_DATA_DIR', state: 'not_writable', isExplicit: false, isMade: true },
      ['folders error'],
    ],
    [{ setting: 'SPINE_PAYLOAD_DIR', state: 'no_folder', isExplicit: true, isMade: true }, ['folders error']],
  ] as const)('with the folder %j', (folder, expected) => {
    const findings = judgeFolders([{ path: '/x', ...folder } satisfies Folder]);
    expect(said(findings)).toEqual(expected);
  });
});

describe('the API', () => {
  const url = 'http://x';
  it.each([
    [{ answer: { type: 'healthy', version: '1', latencyMs: 1 }, key: 'accepted' }, []],
    [{ answer: { type: 'healthy', version: '1', latencyMs: 1 }, key: 'open' }, ['api_key info']],
    [{ answer: { type: 'healthy', version: '1', latencyMs: 1 }, key: 'refused' }, ['api_key warning']],
    [{ answer: { type: 'degraded', down: ['queue'] }, key: null }, ['api_dependencies error']],
    [{ answer: { type: 'unreachable', why: 'w' }, key: null }, ['api_reachable error']],
  ] as const)('that answers %j', (facts, expected) => {
    expect(said(judgeApi({ url, origin: 'settings', ...facts }))).toEqual(expected);
  });

  it('is named with what has said where it is', () => {
    const answer = { type: 'unreachable', why: 'gone' } as const;
    const of = (origin: UrlOrigin) => judgeApi({ url, origin, answer, key: null })[0];
    expect(of('option')?.message).toBe('http://x (of --url) cannot be used: gone');
    expect(of('launcher')?.message).toContain('launcher.json of the data directory');
    expect(of('launcher')?.measured).toEqual({ url, origin: 'launcher' });
    expect(of('default')?.message).toContain('SPINE_URL is not set');
  });

  it('is of the version of all the others', () => {
    expect(said([judgeVersions({ program: '1', api: '1', workers: ['1'] })])).toEqual([]);
    expect(said([judgeVersions({ program: '1', api: null, workers: [] })])).toEqual([]);
    expect(said([judgeVersions({ program: '1', api: '2', workers: [] })])).toEqual(['api_version warning']);
    expect(said([judgeVersions({ program: '1', api: '1', workers: ['1', '2'] })])).toEqual([
      'api_version warning',
    ]);
  });
});

describe('versions', () => {
  it('are compared part by part, as numbers', () => {
    expect(versionParts('v24.1.0-rc.1')).toEqual([24, 1, 0]);
    expect(versionParts('latest')).toBeNull();
    expect(isAtLeast([10], [9, 9])).toBe(true);
    expect(isAtLeast([22], [22, 12])).toBe(false);
    expect(isAtLeast([22, 12], [22, 12])).toBe(true);
  });
});
