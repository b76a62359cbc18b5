/** The worker and the driver that a process runs for one workflow of its own. */
import { ConflictError, ValidationError } from '@spine/core';
import { registerWorkflowVersion } from '@spine/database';
import { createEngine, createReaper, createRelay, HandlerRegistry, Worker } from '@spine/execution';
import type { Engine, WorkSpec } from '@spine/execution';
import { createLogger, Metrics } from '@spine/observability';
import type { Logger } from '@spine/observability';
import type { AdaptedFunction } from '../tools/run/handlers.ts';
import { workflowToJson } from '../workflow/json-map.ts';
import type { WorkflowDefinition } from '../workflow/model.ts';
import { DefinitionVersions } from './definitions.ts';
import { WorkflowDriver } from './driver.ts';
import { WorkflowRegistry } from './registry.ts';

interface Common {
  /** Registers operations that its steps name. */
  readonly register?: (handlers: HandlerRegistry) => void;
  /** Default `managed`. */
  readonly lane?: string;
  /** Steps at the same time. Default 20. */
  readonly slots?: number;
  /** What `auto_approve` of approvals is compared with. Default `production`. */
  readonly environment?: string;
}

/** Where runs of a managed workflow are kept. */
export type ManagedHostOptions =
  | (Common & {
      /** URL of a migrated Postgres. Connections of its own, and the upkeep that a lone process needs. */
      readonly database: string;
      /** Default: warnings and errors, to the standard output. */
      readonly logger?: Logger;
    })
  | (Common & {
      /** Of this process: its connections and its queue are used, and stay open. Its operations may be named by steps. */
      readonly engine: Engine;
    });

export interface ManagedHost {
  readonly engine: Engine;
  readonly lane: string;
  /** Of the definition. */
  readonly version: number;
  /** @throws ValidationError for params that are none, ConflictError for an idempotency key of another spec. */
  submit(spec: WorkSpec): Promise<string>;
  close(): Promise<void>;
}

const GRACE_MS = 5_000;

export async function openManaged(
  definition: WorkflowDefinition,
  functions: ReadonlyMap<string, AdaptedFunction>,
  options: ManagedHostOptions,
): Promise<ManagedHost> {
  const { lane = 'managed', slots = 20 } = options;
  const registry = handlersOf(definition, functions, options);
  const { engine, close } = await engineOf(options, registry);
  const { hash, ...input } = definition;
  const { version } = await registerWorkflowVersion(engine.db, {
    name: definition.name,
    hash,
    definition: workflowToJson(input),
    createdBy: 'managed',
  });
  const driver = new WorkflowDriver({ ...engine, definitions: new DefinitionVersions() });
  const worker = new Worker({ ...engine, registry, lanes: [lane], slots, onEnded: () => driver.wake() });
  await worker.start();
  driver.start();
  return {
    engine,
    lane,
    version,
    submit: async (spec) => {
      // Its own worker knows it, whatever the registry of the engine says.
      const outcome = await engine.dispatcher.submit(spec, { allowUnknown: 'unasked' });
      switch (outcome.type) {
        case 'accepted':
          return outcome.runId;
        case 'existing':
          return outcome.run.runId;
        case 'conflict':
          throw new ConflictError(`run ${outcome.run.runId} has this idempotency key, and another spec`);
        case 'invalid':
          throw new ValidationError(`the run of ${spec.name} is refused`, { issues: outcome.issues });
        case 'unknown_handler':
        case 'fenced':
          throw new ValidationError(`the run of ${spec.name} is refused: ${outcome.type}`);
      }
    },
    close: async () => {
      await worker.stop(GRACE_MS);
      await driver.stop();
      await close();
    },
  };
}

function handlersOf(
  definition: WorkflowDefinition,
  functions: ReadonlyMap<string, AdaptedFunction>,
  options: ManagedHostOptions,
): HandlerRegistry {
  const registry = new HandlerRegistry();
  const operations =
    'engine' in options ? options.engine.registry.handlers().filter(({ kind }) => kind === 'operation') : [];
  for (const operation of operations) registry.registerAs('operation', operation.name, operation);
  options.register?.(registry);
  const workflows = new WorkflowRegistry(
    options.environment === undefined ? {} : { environment: options.environment },
  );
  for (const [name, code] of functions) workflows.registerFunction(name, (params) => code(params));
  const { hash: _hash, ...input } = definition;
  return workflows.registerWorkflow(input).registerHandlers(registry);
}

async function engineOf(
  options: ManagedHostOptions,
  registry: HandlerRegistry,
): Promise<{ readonly engine: Engine; readonly close: () => Promise<void> }> {
  if ('engine' in options) return { engine: options.engine, close: () => Promise.resolve() };
  const { database, logger = createLogger({ service: 'managed', level: 'warn' }) } = options;
  const engine = await createEngine({
    databaseUrl: database,
    redisUrl: null,
    registry,
    logger,
    metrics: new Metrics('managed'),
    service: 'managed',
  });
  const upkeep = [createRelay({ ...engine, lanes: [] }), createReaper({ ...engine, lanes: [] })];
  for (const each of upkeep) each.start();
  return {
    engine,
    close: async () => {
      await Promise.all(upkeep.map((each) => each.stop()));
      await engine.close();
    },
  };
}
