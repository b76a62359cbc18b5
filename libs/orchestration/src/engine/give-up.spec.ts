import { describe, expect, it } from 'vitest';
import { StepResult } from '../workflow/step-result.ts';
import { defineWorkflow } from '../workflow/define.ts';
import type { Step, WorkflowDefinition, WorkflowInput } from '../workflow/model.ts';
import { InMemoryWorkflows } from './in-memory.ts';
import { newWorkflowState, plan } from './plan.ts';
import type { WorkflowEvent } from './event.ts';

const undo = { kind: 'lambda', handler: 'undo' } as const;
const call = (name: string, more: Partial<Extract<Step, { kind: 'lambda' }>> = {}): Step => ({
  kind: 'lambda',
  name,
  handler: name,
  ...more,
});
const define = (name: string, steps: readonly Step[], policy: WorkflowInput['policy'] = {}) =>
  defineWorkflow({ name, policy: { mode: 'parallel', ...policy }, steps });

/** Does something that is to be undone, then waits for ever. */
const child = define('child', [
  call('built', { compensate: undo }),
  { kind: 'wait', name: 'forever', wait: { signal: 'never' }, dependsOn: ['built'] },
]);
const middle = define('middle', [
  call('laid', { compensate: undo }),
  { kind: 'workflow', name: 'inner', workflow: 'child', dependsOn: ['laid'] },
]);

/** What was called, as `run unit`; undoing takes a minute. `undoing` hears of each that begins. */
function world(undoing: (engine: InMemoryWorkflows, runId: string) => void = () => undefined) {
  const log: string[] = [];
  const engine: InMemoryWorkflows = new InMemoryWorkflows({
    workflow: (name) => ({ child, middle })[name],
    executor: {
      run: async (handler, _, { command, runId, sleep }) => {
        if (handler === 'undo') {
          undoing(engine, runId);
          await sleep(60);
        }
        log.push(`${runId} ${command.unit}`);
        return handler === 'fails' ? StepResult.fail('broken') : StepResult.ok();
      },
    },
  });
  return { engine, log };
}

/** Cancels a run when all that can has begun. */
async function cancelled(definition: WorkflowDefinition, { engine, log }: ReturnType<typeof world>) {
  engine.start(definition, {}, { runId: 'top' });
  engine.time.set('the test', new Date(engine.time.clock.now().getTime() + 1_000), () => {
    log.length = 0;
    engine.send('top', { type: 'cancel', by: 'ops' });
  });
  const { status, undoFailures } = await engine.toEnd('top');
  return { status, undoFailures, log };
}

describe('a run that is undone', () => {
  const steps: Step[] = [
    call('first', { compensate: undo }),
    { kind: 'workflow', name: 'sub', workflow: 'middle', dependsOn: ['first'] },
    { kind: 'workflow', name: 'next', workflow: 'child', dependsOn: ['first'] },
  ];

  it('undoes nothing of its own before what it has started is undone, at any depth', async () => {
    expect(await cancelled(define('top', steps), world())).toEqual({
      status: 'cancelled',
      undoFailures: 0,
      log: [
        // Side by side, as they ran; `middle` waits for what is below it.
        'top/next#1 built!undo',
        'top/sub#1/inner#1 built!undo',
        'top/sub#1 laid!undo',
        'top first!undo',
      ],
    });
  });

  it('waits for the items of a map too', async () => {
    const map: Step = {
      kind: 'map',
      name: 'each',
      items: [1, 2],
      iterator: [{ kind: 'workflow', name: 'one', workflow: 'child' }],
      dependsOn: ['first'],
      compensate: undo,
    };
    const w = world();
    const { log, status } = await cancelled(define('top', [call('first', { compensate: undo }), map]), w);
    expect(status).toBe('cancelled');
    expect(log).toEqual([
      'top/each[0]#1 built!undo',
      'top/each[1]#1 built!undo',
      // Not `each!undo`: it has not completed.
      'top first!undo',
    ]);
    expect(w.engine.state('top').steps.get('each')?.status).toBe('cancelled');
  });

  it('waits when its time is over, and when it goes on as a new run', async () => {
    const late = world();
    const runId = late.engine.start(define('top', steps, { timeoutSeconds: 100 }));
    expect(await late.engine.toEnd(runId)).toMatchObject({ status: 'timed_out' });
    expect(late.log.at(-1)).toBe(`${runId} first!undo`);

    const anew = world();
    const again = define('top', [
      { kind: 'workflow', name: 'sub', workflow: 'child', when: '!params.fresh' },
    ]);
    const run = anew.engine.start(again, { fresh: false }, { runId: 'top' });
    anew.engine.send(run, {
      type: 'modified',
      modification: { type: 'continue_as_new', params: { fresh: true }, keepOutputs: false },
    });
    expect(await anew.engine.toEnd(run)).toMatchObject({ status: 'completed' });
    const ends = anew.engine.trace.filter(({ commands }) => commands.some(({ type }) => type === 'complete'));
    expect(ends.map(({ runId: of }) => of)).toEqual(['top/sub#1', 'top', 'top']);
  });

  it('stops undoing, below it too, when it is cancelled a second time', async () => {
    const w = world((engine, runId) => {
      if (runId.endsWith('inner#1')) engine.send('top', { type: 'cancel', by: 'ops' });
    });
    const { status, undoFailures, log } = await cancelled(define('top', steps), w);
    expect([status, log]).toEqual(['cancelled', []]);
    // Its own, which it has not come to.
    expect(undoFailures).toBe(1);
    for (const id of ['top/sub#1', 'top/sub#1/inner#1', 'top/next#1'])
      expect(w.engine.completion(id)).toMatchObject({ status: 'cancelled', undoFailures: 1 });
  });

  it('keeps what completed before it was told, and undoes that as it says', () => {
    const definition = define('top', [
      { kind: 'workflow', name: 'sub', workflow: 'child', compensate: undo },
    ]);
    let state = newWorkflowState();
    const tell = (event: WorkflowEvent) => {
      const planned = plan(definition, state, event, new Date(0));
      state = planned.state;
      return planned.commands;
    };
    tell({ type: 'started', runId: 'top', params: {} });
    expect(tell({ type: 'cancel', by: 'ops' }).map(({ type }) => type)).toEqual([
      'cancel_detached',
      'cancel_child',
      'clear_timer',
    ]);
    const done = { type: 'child_settled', unit: 'sub', attempt: 1, outputs: {}, error: null } as const;
    expect(tell({ ...done, status: 'completed' })).toMatchObject([{ type: 'compensate_step', step: 'sub' }]);
  });
});

describe('an attempt of a sub-workflow that takes too long', () => {
  const slow = (more: Partial<Extract<Step, { kind: 'workflow' }>>): Step => ({
    kind: 'workflow',
    name: 'sub',
    workflow: 'child',
    timeoutSeconds: 10,
    ...more,
  });

  it('is undone before the next one begins', async () => {
    const { engine, log } = world();
    const retry = { maxRetries: 1, baseDelaySeconds: 1 };
    const runId = engine.start(define('top', [slow({ retry })]));
    expect(await engine.toEnd(runId)).toMatchObject({ status: 'failed', error: { category: 'TIMEOUT' } });
    expect(log).toEqual(
      [1, 2].flatMap((attempt) => [`${runId}/sub#${attempt} built`, `${runId}/sub#${attempt} built!undo`]),
    );
  });

  it('is undone before what follows begins, and before the run ends', async () => {
    const { engine, log } = world();
    const steps = [slow({ onError: 'continue' }), call('after', { dependsOn: ['sub'] })];
    const runId = engine.start(define('top', steps));
    expect((await engine.toEnd(runId)).status).toBe('completed');
    expect(log).toEqual([`${runId}/sub#1 built`, `${runId}/sub#1 built!undo`, `${runId} after`]);
    expect(engine.state(runId).steps.get('sub')).toMatchObject({ status: 'failed', givenUp: null });
  });

  it('is told once, also when the run is cancelled meanwhile', async () => {
    const { engine, log } = world((on, runId) => {
      if (runId !== 'top') on.send('top', { type: 'cancel', by: 'ops' });
    });
    engine.start(define('top', [slow({})]), {}, { runId: 'top' });
    expect((await engine.toEnd('top')).status).toBe('cancelled');
    expect(log).toEqual(['top/sub#1 built', 'top/sub#1 built!undo']);
  });
});

describe('a sub-workflow that undoes by itself', () => {
  it('goes on with that when its run gives it up', async () => {
    const failing = define('child', [
      call('built', { compensate: undo }),
      call('fails', { dependsOn: ['built'] }),
    ]);
    const log: string[] = [];
    const engine: InMemoryWorkflows = new InMemoryWorkflows({
      workflow: () => failing,
      executor: {
        run: async (handler, _, { command, runId, sleep }) => {
          if (handler === 'undo') {
            engine.send('top', { type: 'cancel', by: 'ops' });
            await sleep(60);
          }
          log.push(`${runId} ${command.unit}`);
          return handler === 'fails' ? StepResult.fail('broken') : StepResult.ok();
        },
      },
    });
    engine.start(define('top', [{ kind: 'workflow', name: 'sub', workflow: 'child' }]), {}, { runId: 'top' });
    expect((await engine.toEnd('top')).status).toBe('cancelled');
    expect(log.at(-1)).toBe('top/sub#1 built!undo');
    expect(engine.completion('top/sub#1')).toMatchObject({ status: 'failed', undoFailures: 0 });
  });
});

describe('a sub-workflow that nobody waits for', () => {
  const detached: Step[] = [{ kind: 'workflow', name: 'sub', workflow: 'child', wait: false }];

  it('is undone with the run that is cancelled, which does not wait for it', async () => {
    const w = world();
    const waits: Step = { kind: 'wait', name: 'long', wait: { signal: 'x' } };
    expect((await cancelled(define('top', [...detached, waits]), w)).status).toBe('cancelled');
    const ends = w.engine.trace.filter(({ commands }) => commands.some(({ type }) => type === 'complete'));
    expect(ends.map(({ runId }) => runId)).toEqual(['top', 'top/sub#1']);
    expect(w.log).toEqual(['top/sub#1 built!undo']);
  });

  it('goes on when its run fails', async () => {
    const { engine, log } = world();
    const runId = engine.start(define('top', [...detached, call('fails')]));
    expect((await engine.toEnd(runId)).status).toBe('failed');
    await engine.settle();
    expect(engine.completion(`${runId}/sub#1`)).toBeNull();
    expect(log.filter((each) => each.endsWith('!undo'))).toEqual([]);
  });
});
