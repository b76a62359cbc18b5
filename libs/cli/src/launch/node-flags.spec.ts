import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { nodeFlags, SEMI_SPACE_MB } from './node-flags.ts';

const PROGRAM = `process.stdout.write(String(require('node:v8').getHeapStatistics().heap_size_limit))`;

/** The limit of the heap, of which the room for new objects is a part, in MB. */
function heapLimit(nodeOptions: string): number {
  const env = { NODE_OPTIONS: nodeOptions };
  const { stdout } = spawnSync(process.execPath, [...nodeFlags(nodeOptions), '-e', PROGRAM], { env });
  return Number(stdout) / 2 ** 20;
}

describe('the flags of a service', () => {
  it('give new objects more room', () => {
    expect(nodeFlags(undefined)).toEqual(['--enable-source-maps', `--max-semi-space-size=${SEMI_SPACE_MB}`]);
    // An unknown flag would end the process, and one without effect leave the limit as it is.
    expect(heapLimit('') - heapLimit('--max-semi-space-size=16')).toBe(3 * (SEMI_SPACE_MB - 16));
  });

  it.each(['--max-semi-space-size=8', '--trace-warnings --max_semi_space_size=8'])(
    'leave the last word to NODE_OPTIONS %s',
    (nodeOptions) => {
      expect(nodeFlags(nodeOptions)).toEqual(['--enable-source-maps']);
      expect(heapLimit(nodeOptions)).toBe(heapLimit('') - 3 * (SEMI_SPACE_MB - 8));
    },
  );
});
