import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partitionKeyOf, readInput, readParams } from './input.ts';
import { UsageError } from './usage-error.ts';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'spine-input-'));
  writeFileSync(join(cwd, 'params.json'), '{"week": "2026-01-02", "tier": "OTC"}');
  writeFileSync(join(cwd, 'list.json'), '[1]');
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const io = (stdin = '') => ({ stdin: Readable.from([stdin]), cwd });

describe('params of a command line', () => {
  it.each([
    [[], undefined],
    [['a=1', 'b=x', 'c=true', 'd=[1,"y"]', 'e='], { a: 1, b: 'x', c: true, d: [1, 'y'], e: '' }],
    [['a==1', 'url==https://x/?q=1'], { a: '1', url: 'https://x/?q=1' }],
    [['when=2026-01-02'], { when: '2026-01-02' }],
    [['n:={"deep": 1}'], { n: { deep: 1 } }],
    [['{"a": 1, "b": 2}', 'b=3'], { a: 1, b: 3 }],
    [['@params.json', 'tier=NMS_TIER_1'], { week: '2026-01-02', tier: 'NMS_TIER_1' }],
  ])('reads %j', async (args, params) => {
    expect(await readParams(io(), args)).toEqual(params);
  });

  it('reads standard input', async () => {
    expect(await readParams(io('{"a": 1}'), ['@-'])).toEqual({ a: 1 });
  });

  it('passes a name that objects have themselves on, for the API to refuse', async () => {
    const params = await readParams(io(), ['__proto__={"a": 1}']);
    expect(JSON.stringify(params)).toBe('{"__proto__":{"a":1}}');
  });

  it.each([
    [['word'], '"word" is no param'],
    [['=1'], '"=1" is no param'],
    [['{"a":'], 'params is no JSON'],
    [['@gone.json'], 'gone.json cannot be read'],
    [['@list.json'], '@list.json must be a JSON object'],
    [['a:=x'], 'a:= takes JSON, not "x"'],
  ])('refuses %j', async (args, message) => {
    const reading = readParams(io(), args);
    await expect(reading).rejects.toThrow(UsageError);
    await expect(reading).rejects.toThrow(message);
  });

  it('reads the keys of partitions', () => {
    expect(partitionKeyOf(['tier=OTC', 'week=2026-01-02', 'n=3'])).toEqual({
      tier: 'OTC',
      week: '2026-01-02',
      n: 3,
    });
    expect(partitionKeyOf(undefined)).toBeUndefined();
    expect(() => partitionKeyOf(['a={"b":1}'])).toThrow(
      'a of a partition must be a text, a number or true or false',
    );
  });
});

it('a folder is no file to read', async () => {
  await expect(readInput(io(), '.')).rejects.toThrow('. cannot be read');
});
