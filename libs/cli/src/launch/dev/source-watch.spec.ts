import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SourceWatch } from './source-watch.ts';

const NEVER = 3_600_000;
const LIVE = new AbortController().signal;

let root: string;
const opened: SourceWatch[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spine-watch-'));
  mkdirSync(join(root, 'libs', 'a', 'src', 'deep'), { recursive: true });
  write('libs/a/src/one.ts', '1');
});
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
  rmSync(root, { recursive: true, force: true });
});

function write(path: string, text: string): void {
  writeFileSync(join(root, path), text);
}

async function open(pollMs: number): Promise<SourceWatch> {
  const made = await SourceWatch.open({
    root,
    folders: ['libs/a/src', 'libs/later/src'],
    pollMs,
    settleMs: 5,
  });
  opened.push(made);
  return made;
}

describe('a change', () => {
  it('is noticed by what the system tells, in new folders as well', async () => {
    const watch = await open(NEVER);
    const first = watch.changes(LIVE);
    write('libs/a/src/deep/two.ts', '2');
    expect(await first).toEqual(['libs/a/src/deep/two.ts']);

    const second = watch.changes(LIVE);
    mkdirSync(join(root, 'libs', 'a', 'src', 'new'));
    write('libs/a/src/new/three.ts', '3');
    expect(await second).toEqual(['libs/a/src/new/three.ts']);

    const third = watch.changes(LIVE);
    write('libs/a/src/new/three.ts', '33');
    expect(await third).toEqual(['libs/a/src/new/three.ts']);
  });

  it('that came while nobody waited is told to who waits next', async () => {
    const watch = await open(NEVER);
    rmSync(join(root, 'libs/a/src/one.ts'));
    write('libs/a/src/deep/two.ts', '2');
    expect(await watch.changes(LIVE)).toEqual(['libs/a/src/deep/two.ts', 'libs/a/src/one.ts']);
  });

  it('is found without any notice', async () => {
    const watch = await open(10);
    // Takes the watches away, as a system does that has none left.
    watch.close();
    const changed = watch.changes(LIVE);
    write('libs/a/src/one.ts', '1 and more');
    expect(await changed).toEqual(['libs/a/src/one.ts']);
    // Was never there before.
    const later = watch.changes(LIVE);
    mkdirSync(join(root, 'libs', 'later', 'src'), { recursive: true });
    write('libs/later/src/new.ts', '1');
    expect(await later).toEqual(['libs/later/src/new.ts']);
  });

  it('is a newer file of the same size, and one that an editor has put in place', async () => {
    const watch = await open(NEVER);
    write('libs/a/src/one.ts~', '2');
    renameSync(join(root, 'libs/a/src/one.ts~'), join(root, 'libs/a/src/one.ts'));
    utimesSync(join(root, 'libs/a/src/one.ts'), 1, 1);
    expect(await watch.changes(LIVE)).toEqual(['libs/a/src/one.ts']);
  });
});

it('waiting ends with the reason to stop', async () => {
  const watch = await open(NEVER);
  const stop = new AbortController();
  const waiting = watch.changes(stop.signal);
  stop.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
});
