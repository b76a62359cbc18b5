import { describe, expect, it } from 'vitest';
import { ConfigError, ValidationError } from '@spine/core';
import { HandlerRegistry } from '../registry/registry.ts';
import { registerLedgerOperations } from './register.ts';
import { RejectReplayers } from './reject-replayer.ts';
import type { RejectReplayer } from './reject-replayer.ts';
import { REPLAY_REJECTS, replayFilter, replayParams } from './replay-params.ts';

const replayer = (domain: string, stage: string): RejectReplayer => ({
  domain,
  stage,
  ruleVersion: '1',
  replay: () => Promise.resolve([]),
});

describe('the replayers of a deployment', () => {
  const [a, b, other] = [replayer('d', 'A'), replayer('d', 'B'), replayer('e', 'A')];
  const replayers = new RejectReplayers([a, b, other]);

  it('are found by domain, and by stage', () => {
    expect(replayers.select('d', undefined)).toEqual([a, b]);
    expect(replayers.select('d', 'B')).toEqual([b]);
    expect(replayers.of('nobody')).toEqual([]);
  });

  it('name those there are where one is missing', () => {
    expect(() => replayers.select('d', 'C')).toThrow('stage: "C" has no reject replayer; allowed are A, B');
    expect(() => replayers.select('f', 'A')).toThrow('domain: "f" has no reject replayer; allowed are d, e');
    expect(() => new RejectReplayers().select('d', undefined)).toThrow(ValidationError);
  });

  it('are one a stage', () => {
    expect(() => new RejectReplayers([a, other, replayer('d', 'A')])).toThrow(ConfigError);
  });
});

describe('the operation', () => {
  it('can be documented', () => {
    const registry = registerLedgerOperations(new HandlerRegistry(), { replayers: [] }).check();
    const described = registry.describe('operation', REPLAY_REJECTS);
    expect(described?.paramsSchema).toMatchObject({ required: ['domain'], additionalProperties: false });
  });

  it('asks the statements for what it was asked for, and for nothing else', () => {
    expect(replayFilter(replayParams.parse({ domain: 'd' }))).toEqual({ domain: 'd' });
    const all = {
      domain: 'd',
      stage: 'S',
      partition_key: { no: 1, open: true, name: 'x' },
      reason_code: 'BAD',
      reject_ids: ['7'],
      rule_version: 'v',
    };
    expect(replayFilter(replayParams.parse(all))).toEqual({
      domain: 'd',
      stage: 'S',
      partitionKey: { no: 1, open: true, name: 'x' },
      reasonCode: 'BAD',
      rejectIds: ['7'],
      ruleVersion: 'v',
    });
  });
});
