/** A worker of the model: slots before claims, claims and settlements in one group commit, heartbeat and polls. */
import type { Database } from './database.ts';
import type { EventQueue } from './event-queue.ts';
import { groupCommitModel } from './group-commit.ts';
import type { GroupCommitModel } from './group-commit.ts';
import type { HintModel, Lane, RunModel } from './lane.ts';
import type { OverdueRuns } from './overdue.ts';
import { ENGINE } from './parameters.ts';
import type { Scenario } from './parameters.ts';
import { Station } from './station.ts';

export interface WorkerServices {
  readonly events: EventQueue;
  readonly database: Database;
  readonly lane: Lane;
  readonly overdue: OverdueRuns;
  readonly scenario: Scenario;
  readonly random: () => number;
  readonly onStart: (run: RunModel) => void;
  readonly onFinish: (run: RunModel) => void;
}

interface Item {
  readonly type: 'claim' | 'settle';
  readonly run: RunModel;
}

/** The statement and the claim by which it began: a run that another has claimed meanwhile is gone. */
interface ClaimedItem extends Item {
  readonly won: boolean;
}

export class WorkerModel {
  readonly #services: WorkerServices;
  readonly #process: Station;
  readonly #commits: GroupCommitModel<Item>;
  #free: number;
  /** Ids of the hint in hand that no slot was free for. */
  #left: RunModel[] = [];
  #asked = false;

  constructor(services: WorkerServices) {
    this.#services = services;
    this.#free = services.scenario.slots;
    this.#process = new Station(services.events, 1);
    this.#commits = groupCommitModel<Item>({
      inFlight: ENGINE.exchangesInFlight,
      maxItems: ENGINE.maxItems,
      flush: (items, done) => this.#exchange(items, done),
    });
  }

  start(): void {
    const { database, scenario } = this.#services;
    const { heartbeat, control } = scenario.costs;
    this.#every(ENGINE.heartbeatMs, () => {
      const items = scenario.slots - this.#free;
      // The worker's own row is written in any case.
      database.execute('heartbeat', [{ cost: heartbeat, items: Math.max(1, items) }], () => undefined);
    });
    this.#every(ENGINE.pollMs, () => this.#poll());
    this.#every(ENGINE.controlMs, () => {
      for (let index = 0; index < ENGINE.controlStatements; index += 1) {
        database.execute('control', [{ cost: control, items: 0 }], () => undefined);
      }
    });
    this.#ask();
  }

  /** Again and again, with a tenth of jitter; the first time at any moment of the period. */
  #every(period: number, happen: () => void): void {
    const { events, random } = this.#services;
    const again = (): void => {
      happen();
      events.after(period * (0.9 + random() * 0.2), again);
    };
    events.after(period * random(), again);
  }

  #poll(): void {
    if (this.#free === 0) return;
    const { database, overdue, scenario } = this.#services;
    const { poll, claim } = scenario.costs;
    const runs = overdue.take(Math.min(this.#free, ENGINE.pollLimit));
    for (const run of runs) run.state = 'held';
    this.#free -= runs.length;
    for (let index = 1; index < ENGINE.pollStatements; index += 1) {
      database.execute('poll', [{ cost: poll, items: 0 }], () => undefined);
    }
    const parts = [
      { cost: poll, items: 0 },
      { cost: { ...claim, once: 0 }, items: runs.length },
    ];
    database.execute('poll', parts, () => {
      for (const run of runs) this.#handle(run);
    });
  }

  #ask(): void {
    if (this.#asked || this.#free === 0 || this.#left.length > 0) return;
    this.#asked = true;
    this.#services.lane.take((hint) => {
      this.#asked = false;
      this.#accept([...hint]);
    });
  }

  #accept(hint: HintModel): void {
    const taken = Math.min(this.#free, hint.length);
    this.#free -= taken;
    this.#left = hint.slice(taken);
    for (const run of hint.slice(0, taken)) this.#commits.push({ type: 'claim', run });
    this.#ask();
  }

  #releaseSlot(): void {
    this.#free += 1;
    if (this.#left.length > 0) this.#accept(this.#left);
    else this.#ask();
  }

  #exchange(items: readonly Item[], done: () => void): void {
    const { database, scenario } = this.#services;
    const { claim, settle, workerRun } = scenario.costs;
    const claims = items.filter((item) => item.type === 'claim');
    const decided = items.map((item): ClaimedItem => {
      const won = item.type === 'settle' || item.run.state === 'queued';
      if (item.type === 'claim' && won) item.run.state = 'held';
      return { ...item, won };
    });
    const parts = [
      { cost: claim, items: claims.length },
      { cost: settle, items: items.length - claims.length },
    ].filter((part) => part.items > 0);
    database.execute('exchange', parts, () => {
      done();
      this.#process.work(workerRun * claims.length, () => {
        for (const item of decided) this.#answer(item);
      });
    });
  }

  #answer({ type, run, won }: ClaimedItem): void {
    if (type === 'settle') {
      run.state = 'finished';
      this.#services.onFinish(run);
    } else if (won) {
      this.#handle(run);
    } else {
      this.#releaseSlot();
    }
  }

  #handle(run: RunModel): void {
    const { events, scenario, random, onStart } = this.#services;
    onStart(run);
    events.after(scenario.handlerMs * (0.5 + random()), () => {
      this.#commits.push({ type: 'settle', run });
      this.#releaseSlot();
    });
  }
}
