/** What a workflow run under way shows of itself: steps, what they wait for, questions, timers, signals, its history. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listWorkflowHistory, workflowQuality } from '@spine/database';
import {
  decideWorkflowApproval,
  inspectItems,
  inspectWorkflowRun,
  queryWorkflowRun,
  workflowEventToJson,
} from '@spine/orchestration';
import type { WorkflowEvent } from '@spine/orchestration';
import { watchedDb } from './plan-support.ts';
import { openOperateBed } from './workflow-operate-support.ts';
import type { OperateBed } from './workflow-operate-support.ts';

const big = 'x'.repeat(20_000);

let bed: OperateBed;
let runId: string;
beforeAll(async () => {
  bed = await openOperateBed([
    {
      name: 'test.looked_at',
      policy: { mode: 'parallel', maxConcurrency: 3 },
      steps: [
        { kind: 'lambda', name: 'first', handler: 'note', params: { text: big } },
        { kind: 'wait', name: 'word', wait: { signal: 'go', timeoutSeconds: 3_600 } },
        { kind: 'wait', name: 'while', wait: { durationSeconds: 7_200 } },
        { kind: 'approval', name: 'ask', approvers: ['ada'], message: 'May it?', dependsOn: ['first'] },
        { kind: 'lambda', name: 'held', handler: 'hold', dependsOn: ['first'], params: { n: 1 } },
        {
          kind: 'map',
          name: 'each',
          items: [1, 2, 3, 4],
          maxConcurrency: 2,
          dependsOn: ['first'],
          iterator: [{ kind: 'lambda', name: 'one', handler: 'hold', params: { n: '{{ item }}' } }],
        },
        { kind: 'lambda', name: 'second', handler: 'note', dependsOn: ['held', 'word'] },
        { kind: 'lambda', name: 'none', handler: 'note', when: 'params.never == true' },
      ],
    },
    {
      name: 'test.measured',
      policy: { mode: 'parallel', onError: 'continue' },
      steps: [
        { kind: 'lambda', name: 'good', handler: 'measures', params: { most: 2 } },
        { kind: 'lambda', name: 'bad', handler: 'measures', params: { most: 1 } },
        { kind: 'lambda', name: 'silent', handler: 'note' },
      ],
    },
  ]);
  runId = await bed.start('test.looked_at', { never: false });
  await bed.step(runId, 'held', 'running');
  await bed.step(runId, 'each', 'running');
});
afterAll(async () => {
  bed.release();
  await bed.close();
});

describe('a step that has said something about its data', () => {
  it('shows it, also where it has failed by it', async () => {
    const { runId: measured } = await bed.run('test.measured');
    const quality = { recordCount: 10, validCount: 8, passed: true, customMetrics: { late: 1 } };
    const steps = (await bed.view(measured)).steps.map(({ name, status, quality: said }) => [
      name,
      status,
      said,
    ]);
    expect(steps).toEqual([
      ['good', 'completed', quality],
      ['bad', 'failed', { ...quality, passed: false }],
      ['silent', 'completed', null],
    ]);
    const asked = await queryWorkflowRun(bed.services, measured, { name: 'step', step: 'bad' });
    expect(asked).toMatchObject({ view: { step: { quality: { passed: false } } } });
    await bed.run('test.measured');
    expect(await workflowQuality(bed.engine.db, 'test.measured', { days: 1 })).toEqual([
      { step: 'bad', runs: 2, passed: 0, recordCount: '20', validCount: '16' },
      { step: 'good', runs: 2, passed: 2, recordCount: '20', validCount: '16' },
    ]);
  });
});

describe('a workflow run under way', () => {
  it('shows each step, and what it waits for', async () => {
    await bed.signal(runId, 'early');
    const view = await bed.view(runId);
    expect(view).toMatchObject({
      name: 'test.looked_at',
      version: 1,
      engine: 'active',
      phase: 'running',
      outcome: null,
      forkedFrom: null,
    });
    const steps = new Map(view.steps.map((step) => [step.name, step]));
    expect(view.steps.map(({ name }) => name)).toEqual([
      'first',
      'word',
      'while',
      'ask',
      'held',
      'each',
      'second',
      'none',
    ]);
    expect(steps.get('first')).toMatchObject({
      status: 'completed',
      attempts: 1,
      output: null,
      omitted: true,
    });
    expect(steps.get('first')?.endedAt).not.toBeNull();
    expect(steps.get('word')?.waitsFor).toMatchObject({
      type: 'signal',
      signal: 'go',
      until: expect.any(Date) as Date,
    });
    expect(steps.get('while')?.waitsFor).toMatchObject({ type: 'time', until: expect.any(Date) as Date });
    expect(steps.get('ask')?.waitsFor).toMatchObject({
      type: 'approval',
      approvers: ['ada'],
      message: 'May it?',
    });
    expect(steps.get('held')?.waitsFor).toEqual({
      type: 'run',
      runId: steps.get('held')?.runId,
      until: null,
    });
    expect(steps.get('each')).toMatchObject({
      map: { count: 4, running: 2, notStarted: 2 },
      waitsFor: { type: 'items', running: 2, notStarted: 2 },
    });
    expect(steps.get('second')?.waitsFor).toEqual({ type: 'steps', steps: ['word', 'held'], count: 2 });
    expect(steps.get('none')).toMatchObject({ status: 'skipped', reason: 'its condition does not hold' });
    expect(view.approvals).toMatchObject([{ step: 'ask', approvers: ['ada'] }]);
    expect(view.timers.map(({ timer }) => timer)).toEqual(
      expect.arrayContaining(['word#1:timeout', 'while#1:wait', 'ask#1:approval']),
    );
    expect(view.progress.total).toBe(8);
    expect(view.progress.byStatus).toMatchObject({ completed: 1, skipped: 1, pending: 1 });
  });

  it('comes in pages, and as a picture', async () => {
    const names: string[] = [];
    let after: string | null = null;
    for (;;) {
      const page = await inspectWorkflowRun(bed.services, runId, { after, limit: 4, picture: 'mermaid' });
      if (page.type !== 'found') throw new Error(page.type);
      names.push(...page.view.steps.map(({ name }) => name));
      expect(page.view.picture).toContain('flowchart');
      after = page.view.nextAfter;
      if (after === null) break;
    }
    expect(new Set(names).size).toBe(8);
    expect(names).toHaveLength(8);
    const dot = await inspectWorkflowRun(bed.services, runId, { after: null, limit: 1, picture: 'dot' });
    expect(dot.type === 'found' ? dot.view.picture : '').toContain('tooltip="awaiting_approval"');
  });

  it('shows the items of a map in pages', async () => {
    const page = await inspectItems(bed.services, runId, 'each', { from: 1, limit: 2 });
    expect(page).toMatchObject({
      type: 'found',
      view: {
        count: 4,
        items: [
          { index: 1, status: 'running', attempts: 1, input: 2 },
          { index: 2, status: 'pending', attempts: 0 },
        ],
      },
    });
    const none = await inspectItems(bed.services, runId, 'held', { from: 0, limit: 2 });
    expect(none).toMatchObject({ view: { count: null } });
  });

  it('answers questions from one moment of it', async () => {
    const ask = async (query: Parameters<typeof queryWorkflowRun>[2]) => {
      const answer = await queryWorkflowRun(bed.services, runId, query);
      return answer.type === 'found' ? answer.view : answer;
    };
    const before = await bed.admin.query('SELECT seq FROM workflow_runs WHERE run_id = $1', [runId]);
    expect(await ask({ name: 'state' })).toMatchObject({
      phase: 'running',
      paused: false,
      steps: { skipped: 1 },
    });
    expect(await ask({ name: 'context' })).toMatchObject({
      params: { never: false },
      environment: 'production',
    });
    expect(await ask({ name: 'outputs' })).toEqual({
      name: 'outputs',
      outputs: { first: { text: big } },
      omitted: [],
    });
    expect(await ask({ name: 'step', step: 'first' })).toMatchObject({
      step: { output: { text: big }, omitted: false },
    });
    expect(await ask({ name: 'step', step: 'nobody' })).toEqual({ name: 'unknown_step', step: 'nobody' });
    expect(await ask({ name: 'outputs', steps: ['held'] })).toMatchObject({ outputs: {} });
    expect(await ask({ name: 'signals' })).toEqual({ name: 'signals', signals: { early: { at: 'early' } } });
    const after = await bed.admin.query('SELECT seq FROM workflow_runs WHERE run_id = $1', [runId]);
    expect(after.rows).toEqual(before.rows);
  });

  it('is looked at without reading a whole table', async () => {
    const watched = watchedDb(bed.databaseUrl);
    try {
      const plan = await watched.planOf(async (db) => {
        const services = { ...bed.services, db };
        await inspectWorkflowRun(services, runId, { after: null, limit: 10 });
        await inspectItems(services, runId, 'each', { from: 0, limit: 10 });
        await listWorkflowHistory(db, runId, { after: 0, limit: 10, offset: 0, maxBytes: 100 });
      });
      const small = new Set(['workflow_inbox', 'workflow_approvals', 'workflow_definitions']);
      expect(plan.seqScans.filter((table) => !small.has(table))).toEqual([]);
    } finally {
      await watched.close();
    }
  });

  it('has a history that tells what it was told, in pages, large values left out', async () => {
    await decideWorkflowApproval(bed.engine.db, runId, 'ask', { approved: true, by: 'ada', comment: null });
    await bed.step(runId, 'ask', 'completed');
    const seen: string[] = [];
    let after = 0;
    for (;;) {
      const page = await listWorkflowHistory(bed.engine.db, runId, {
        after,
        limit: 2,
        offset: 0,
        maxBytes: 1_000,
      });
      for (const { no, event, omitted } of page.items) {
        expect(no).toBe(after + 1);
        after = no;
        const json = workflowEventToJson(event as WorkflowEvent, omitted);
        seen.push(`${json.type} ${json.unit ?? ''}`.trim());
        if (json.unit === 'first')
          expect([omitted, json.data]).toEqual([true, { status: 'ok', output: null }]);
      }
      if (!page.hasMore) break;
    }
    expect(seen).toEqual(
      expect.arrayContaining(['started', 'step_settled first', 'signal', 'approval_decided ask']),
    );
  });

  it('is not there where nobody began one', async () => {
    const unknown = '01890000-0000-7000-8000-000000000000';
    const request = { after: null, limit: 1 };
    expect(await inspectWorkflowRun(bed.services, unknown, request)).toEqual({ type: 'not_found' });
    const step = (await bed.view(runId)).steps.find(({ name }) => name === 'held')?.runId ?? '';
    expect(await inspectWorkflowRun(bed.services, step, request)).toMatchObject({ type: 'not_begun' });
  });
});
