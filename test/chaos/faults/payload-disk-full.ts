/**
 * The disk that payloads are kept on is full. It is a real one, small and in memory, so that what is full is nothing
 * else: mounting it takes the rights of root, on Linux.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Bed } from '../bed/bed.ts';
import { INLINE_LIMIT, PAYLOAD_LIMIT } from '../bed/deployment.ts';
import type { SpecialRun } from '../load/plan.ts';
import { until } from '../pause.ts';
import type { Random } from '../random.ts';
import { largeParams, largeResult } from './handlers.ts';
import type { Fault } from './fault.ts';

const run = promisify(execFile);

const DISK_BYTES = 256 * 1024 * 1024;
const CHUNK = Buffer.alloc(1024 * 1024);

/** Room for the payloads of every repeat, while it is not filled. */
async function mountDisk(bed: Bed): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'spine-disk-'));
  await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=0700`, 'tmpfs', directory]);
  bed.atEnd(async () => {
    await run('umount', ['-l', directory]);
    await rmdir(directory);
  });
  return directory;
}

/** The disk of each bed. */
const disks = new WeakMap<Bed, string>();

function fillerOf(bed: Bed): string {
  return join(disks.get(bed) ?? '', 'filler');
}

async function keepOn(bed: Bed, env: Readonly<Record<string, string>>): Promise<void> {
  await Promise.all(
    bed.services.map(async ({ process }) => {
      process.use({ env });
      await process.end('SIGTERM');
      await process.start();
    }),
  );
}

/** Writes until there is no room, in smaller and smaller pieces. */
async function fill(file: string): Promise<void> {
  const handle = await open(file, 'a');
  try {
    for (let size = CHUNK.length; size >= 1;) {
      const written = await handle.write(CHUNK, 0, size).then(
        ({ bytesWritten }) => bytesWritten,
        () => 0,
      );
      if (written < size) size = Math.floor(size / 4);
    }
  } finally {
    await handle.close();
  }
}

const REFUSED = `SELECT count(*)::int AS n FROM run_events
  WHERE event_type = 'retry_scheduled' AND data->'error'->>'type' = 'PayloadUnavailableError'`;

function largeRuns(random: Random): SpecialRun[] {
  const size = (): number => random.int(INLINE_LIMIT + 1, PAYLOAD_LIMIT);
  return [largeParams(size()), largeParams(size()), largeResult(size()), largeResult(size())].map(
    (special) => ({
      ...special,
      atMs: random.int(300, 3_000),
    }),
  );
}

export const payloadDiskFull: Fault = {
  what: 'no room on the disk of the payloads that are too large for their row',
  losesLeases: false,
  impossible: () =>
    process.platform === 'linux' && process.getuid?.() === 0
      ? null
      : 'it mounts a small disk, as root on Linux',
  specialRuns: largeRuns,
  prepare: async (bed) => {
    const directory = await mountDisk(bed);
    disks.set(bed, directory);
    await keepOn(bed, { SPINE_PAYLOAD_DIR: join(directory, 'payloads') });
  },
  inject: (bed, _random, signal) =>
    // Again and again: what the services clean up makes room.
    until(
      async () => {
        await fill(fillerOf(bed));
        return false;
      },
      signal,
      50,
    ).then(() => undefined),
  heal: async (bed) => {
    await rm(fillerOf(bed), { force: true });
    const { rows } = await bed.admin.query<{ n: number }>(REFUSED);
    const effect = 'results that found no room';
    bed.count(effect, (rows[0]?.n ?? 0) - (bed.effects.get(effect) ?? 0));
  },
  restore: (bed) => keepOn(bed, {}),
};
