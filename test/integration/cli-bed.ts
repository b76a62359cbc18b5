/** An API with a key, a worker and a workflow driver, and `spine` against it in a folder of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { HandlerRegistry } from '@spine/execution';
import { DefinitionVersions, WorkflowDriver, WorkflowRegistry } from '@spine/orchestration';
import { randomKey, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';
import { spine } from './cli-support.ts';
import type { Ended, SpineOptions } from './cli-support.ts';

export interface CliBed {
  readonly api: Api;
  /** Where commands are run. */
  readonly folder: string;
  /** What every call has: the API's key. */
  readonly env: Readonly<Record<string, string>>;
  spine(args: readonly string[], options?: Partial<SpineOptions>): Promise<Ended>;
  /** What it answers with `--json`, and nothing else. */
  asJson(args: readonly string[], code?: number): Promise<Json>;
  /** What it says where all is well, and nothing beside it. */
  said(...args: readonly string[]): Promise<string>;
  /** Writes a file into the folder. @returns its name */
  file(name: string, body: string | object): string;
  close(): Promise<void>;
}

/** @param register handlers beside the built-in ones; workflows have the function `echo`, which answers its params */
export async function openCliBed(register: (registry: HandlerRegistry) => void = () => {}): Promise<CliBed> {
  const folder = mkdtempSync(join(tmpdir(), 'spine-cli-'));
  const key = randomKey();
  const env = { SPINE_API_KEY: key };
  const workflows = new WorkflowRegistry().registerFunction('echo', (params) => params);
  const api = await startApi({
    keys: [key],
    register: (registry) => {
      workflows.registerHandlers(registry);
      register(registry);
    },
  });
  await api.startWorker();
  const driver = new WorkflowDriver({ ...api.engine, definitions: new DefinitionVersions(), pollMs: 25 });
  driver.start();
  const run: CliBed['spine'] = (args, options = {}) =>
    spine(args, { url: api.url, cwd: folder, env, ...options });
  return {
    api,
    folder,
    env,
    spine: run,
    asJson: async (args, code = 0) => {
      const ended = await run([...args, '--json']);
      expect(ended, args.join(' ')).toMatchObject({ code });
      return JSON.parse(ended.out) as Json;
    },
    said: async (...args) => {
      const { code, out, problem } = await run(args);
      expect({ code, problem }, args.join(' ')).toEqual({ code: 0, problem: '' });
      return out;
    },
    file: (name, body) => {
      writeFileSync(join(folder, name), typeof body === 'string' ? body : JSON.stringify(body));
      return name;
    },
    close: async () => {
      await driver.stop();
      await api.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
