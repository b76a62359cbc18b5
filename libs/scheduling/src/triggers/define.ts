/** From what a client says to a trigger that can be stored. */
import { isAbsolute, normalize } from 'node:path';
import { assertNever, parseCondition, parseJsonLocation } from '@spine/core';
import { EXPECTED_CHANNEL } from '@spine/database';
import type { EventSource, TriggerDefinition } from '@spine/database';
import type { WorkSpecJson } from '@spine/execution';
import { checkRepeatableWork } from '../service/repeatable-work.ts';
import { Issues, refuse } from '../timing/issues.ts';

/** A source and what it has to be told. */
export type SourceInput =
  /** Signed requests. The secret is a reference such as `secret:env:NAME`, never the secret. */
  | { readonly type: 'webhook'; readonly secretRef: string }
  /** NOTIFY on a channel. At most once: what is sent while nobody listens is gone. */
  | { readonly type: 'postgres'; readonly channel: string }
  /** Changes of a table that has the trigger `spine_capture_change`. */
  | { readonly type: 'table'; readonly table: string; readonly operations?: readonly string[] | undefined }
  /** Files that appear or change in a folder of a data root. */
  | { readonly type: 'file'; readonly folder: string; readonly pattern?: string | undefined }
  /** PUBLISH on a Redis channel. At most once. */
  | { readonly type: 'redis'; readonly channel: string }
  /** What was expected and has not come, or came late. */
  | {
      readonly type: 'ledger';
      readonly types?: readonly string[] | undefined;
      readonly domain?: string | undefined;
    }
  /** Runs that have ended. */
  | {
      readonly type: 'run_event';
      readonly types?: readonly string[] | undefined;
      readonly kind?: string | undefined;
      readonly name?: string | undefined;
    };

export interface TriggerInput {
  readonly name: string;
  readonly description?: string | undefined;
  readonly source: SourceInput;
  readonly filter?: string | undefined;
  readonly paramMapping?: Readonly<Record<string, string>> | undefined;
  readonly work: WorkSpecJson;
}

export const TRIGGER_LIMITS = {
  /** Also a part of the webhook's path. */
  name: /^[a-z][a-z0-9_.-]{0,99}$/,
  channel: /^[A-Za-z_][A-Za-z0-9_.:-]{0,99}$/,
  pgChannel: /^[a-z_][a-z0-9_]{0,62}$/,
  table: /^[a-z_][a-z0-9_]{0,62}\.[a-z_][a-z0-9_]{0,62}$/,
  secretRef: /^secret:[a-z]+:[A-Za-z0-9_./#-]{1,200}$/,
  pattern: /^[A-Za-z0-9_.*?-]{1,100}$/,
  mappings: 100,
} as const;

export const RUN_EVENT_TYPES = [
  'run.completed',
  'run.failed',
  'run.cancelled',
  'run.timed_out',
  'run.dead_lettered',
] as const;
export const LEDGER_EVENT_TYPES = ['partition.late', 'partition.arrived'] as const;
export const TABLE_OPERATIONS = ['insert', 'update', 'delete'] as const;

/** The channel of events of runs. */
export const RUN_EVENTS = 'runs';

/** @throws ValidationError with every field that is wrong. */
export function defineTrigger(input: TriggerInput): TriggerDefinition {
  const issues = new Issues();
  const { filter, paramMapping = {}, work } = input;
  const source = issues.of(() => sourceOf(input));
  issues.of(() => filter !== undefined && parseCondition(filter, ['event'], 'filter'));
  issues.of(() => {
    checkMapping(paramMapping);
  });
  issues.of(() => {
    checkRepeatableWork(work, 'a trigger');
  });
  return {
    ...issues.unless(source),
    name: input.name,
    description: input.description ?? null,
    filter: filter ?? null,
    paramMapping,
    targetKind: work.kind,
    targetName: work.name,
    work,
  };
}

type StoredSource = Pick<TriggerDefinition, 'source' | 'channel' | 'sourceConfig'>;

function sourceOf({ name, source }: TriggerInput): StoredSource {
  const stored = (
    type: EventSource,
    channel: string,
    config: Readonly<Record<string, unknown>> = {},
  ): StoredSource => ({ source: type, channel, sourceConfig: config });
  switch (source.type) {
    case 'webhook':
      // Not quoted: what was written there by mistake is a secret.
      if (!TRIGGER_LIMITS.secretRef.test(source.secretRef))
        return refuse(
          'source.secret_ref',
          'invalid',
          'is not a reference; write where the secret is, such as secret:env:NAME',
        );
      return stored('webhook', name, { secret_ref: source.secretRef });
    case 'postgres':
      mustMatch('source.channel', source.channel, TRIGGER_LIMITS.pgChannel, 'a lower-case Postgres name');
      if (source.channel.startsWith('spine_'))
        return refuse(
          'source.channel',
          'not_allowed',
          'channels that begin with spine_ are the engine’s own',
        );
      return stored('postgres', source.channel);
    case 'table':
      mustMatch('source.table', source.table, TRIGGER_LIMITS.table, 'schema.table in lower case');
      return stored('table', source.table, { operations: source.operations ?? TABLE_OPERATIONS });
    case 'redis':
      mustMatch('source.channel', source.channel, TRIGGER_LIMITS.channel, 'letters, digits and "_.:-"');
      return stored('redis', source.channel);
    case 'file': {
      const pattern = source.pattern ?? '*';
      mustMatch('source.pattern', pattern, TRIGGER_LIMITS.pattern, 'a file name with * and ?');
      const folder = normalize(source.folder);
      if (isAbsolute(folder) || folder.split(/[/\\]/).includes('..') || folder.includes('\0'))
        return refuse('source.folder', 'not_allowed', 'must be a folder inside a data root, without ..');
      // Two triggers that watch one folder with one pattern see the same files.
      return stored('file', `${folder}/${pattern}`, { folder, pattern });
    }
    case 'ledger':
      return stored('ledger', EXPECTED_CHANNEL, {
        types: source.types ?? LEDGER_EVENT_TYPES,
        ...(source.domain === undefined ? {} : { domain: source.domain }),
      });
    case 'run_event':
      return stored('run_event', RUN_EVENTS, {
        types: source.types ?? RUN_EVENT_TYPES,
        ...(source.kind === undefined ? {} : { kind: source.kind }),
        ...(source.name === undefined ? {} : { name: source.name }),
      });
    default:
      return assertNever(source);
  }
}

function mustMatch(field: string, value: string, pattern: RegExp, what: string): void {
  if (!pattern.test(value))
    refuse(field, 'invalid', `${JSON.stringify(value.slice(0, 80))} is not allowed; write ${what}`);
}

function checkMapping(mapping: Readonly<Record<string, string>>): void {
  const entries = Object.entries(mapping);
  if (entries.length > TRIGGER_LIMITS.mappings)
    refuse(
      'param_mapping',
      'too_many',
      `${entries.length} are too many; allowed are ${TRIGGER_LIMITS.mappings}`,
    );
  for (const [param, path] of entries)
    parseJsonLocation(
      path.startsWith('$event') ? `$${path.slice('$event'.length)}` : path,
      `param_mapping.${param}`,
    );
}
