/** One suite over every executor: what a caller may rely on, wherever the work runs. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import type { WorkSpec } from '@spine/execution';
import { taskSpec } from '@spine/execution';
import { describeControl } from './executor-control.ts';
import { describeOutcomes } from './executor-outcomes.ts';
import { describePlaces } from './executor-places.ts';
import { EXECUTORS } from './executors.ts';
import type { OpenExecutor } from './executors.ts';

/** What the parts of the suite work with. */
export interface Suite {
  readonly opened: () => OpenExecutor;
  /** A file nobody else uses; it is not there yet. */
  readonly newFile: () => string;
  readonly spec: (name: string, params?: Record<string, unknown>, options?: Partial<WorkSpec>) => WorkSpec;
}

describe.each(EXECUTORS)('%s', (_, traits) => {
  let opened: OpenExecutor;
  let folder: string;
  let files = 0;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spine-executor-'));
    opened = await traits.open();
  });
  afterAll(async () => {
    await opened.close();
    await rm(folder, { recursive: true, force: true });
  });

  const suite: Suite = {
    opened: () => opened,
    newFile: () => join(folder, `file-${(files += 1)}`),
    spec: (name, params = {}, options = {}) => taskSpec(name, params, { retryDelaySeconds: 0, ...options }),
  };
  describeOutcomes(suite, traits);
  describeControl(suite, traits);
  describePlaces(suite, traits);
});
