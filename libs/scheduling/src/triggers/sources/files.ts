/**
 * Files as a source: folders are looked through again and again, which works on network file systems too.
 *
 * 1. A file is an event when two looks in a row found it with the same size and time: it is not being written any more.
 * 2. Its id is made of path, size and time, so that any number of processes and restarts make one event of it; a file
 *    that changes is another. A process tells of each once, and forgets that it has when the telling fails.
 * 3. A folder is inside a data root by its real path.
 * 4. A folder that cannot be read holds up no other.
 */
import { opendir, realpath, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { sha256Hex } from '@spine/core';
import { activeTriggers, appendInboundEvents, asQueryable } from '@spine/database';
import type { Db, NewInboundEvent } from '@spine/database';
import { Ticker } from '@spine/execution';
import type { Logger } from '@spine/observability';

export interface FileSourceOptions {
  readonly db: Db;
  readonly dataRoots: readonly string[];
  readonly logger: Logger;
  /** Default 5 s. */
  readonly everyMs?: number;
}

/** Names of one folder that are read, and files of them that are looked at: which ones of more is not said. */
export const FILE_LIMITS = { entries: 100_000, files: 10_000 } as const;
const EVENTS_AT_ONCE = 1_000;

interface Seen {
  readonly size: number;
  readonly modifiedMs: number;
}

interface Known extends Seen {
  readonly told: boolean;
}

export function createFileSource({ db, dataRoots, logger, everyMs = 5_000 }: FileSourceOptions): Ticker {
  let before: ReadonlyMap<string, Known> = new Map();
  let trouble: ReadonlySet<string> = new Set();
  return new Ticker({
    name: 'file-source',
    everyMs,
    logger,
    tick: async () => {
      const now = new Map<string, Known>();
      const troubled = new Set<string>();
      const ready: NewInboundEvent[] = [];
      for (const watched of foldersOf(await activeTriggers(db, 'file'))) {
        const { channel } = watched;
        const warn = (error: unknown): void => {
          troubled.add(channel);
          if (!trouble.has(channel))
            logger.warn({ err: error, folder: watched.folder }, 'a watched folder is not read as a whole');
        };
        try {
          for await (const file of filesIn(watched, dataRoots, warn)) {
            const key = `${channel}\n${file.path}`;
            const last = before.get(key);
            const isSame = last?.size === file.size && last.modifiedMs === file.modifiedMs;
            now.set(key, { size: file.size, modifiedMs: file.modifiedMs, told: isSame });
            if (isSame && !last.told) ready.push(eventOf(channel, file));
          }
        } catch (error) {
          warn(error);
        }
      }
      trouble = troubled;
      for (let at = 0; at < ready.length; at += EVENTS_AT_ONCE)
        await appendInboundEvents(asQueryable(db), ready.slice(at, at + EVENTS_AT_ONCE));
      before = now;
      return false;
    },
  });
}

interface Folder {
  readonly channel: string;
  readonly folder: string;
  readonly pattern: string;
}

function foldersOf(triggers: Awaited<ReturnType<typeof activeTriggers>>): readonly Folder[] {
  const folders = triggers.map(({ channel, sourceConfig }) => ({
    channel,
    folder: String(sourceConfig['folder']),
    pattern: String(sourceConfig['pattern']),
  }));
  return [...new Map(folders.map((folder) => [folder.channel, folder])).values()];
}

interface FoundFile extends Seen {
  /** Relative to its data root, as handlers take it. */
  readonly path: string;
  readonly name: string;
}

async function* filesIn(
  { folder, pattern }: Folder,
  dataRoots: readonly string[],
  warn: (error: unknown) => void,
): AsyncGenerator<FoundFile> {
  const matches = globMatcher(pattern);
  for (const dataRoot of dataRoots) {
    const root = await realpath(resolve(dataRoot)).catch(() => null);
    const real = root === null ? null : await realpath(join(root, folder)).catch(() => null);
    // Of several roots the folder is in some. One that is there but leads out of its root is nobody's.
    if (root === null || real === null || (real !== root && !real.startsWith(root + sep))) continue;
    let [looked, matched] = [0, 0];
    for await (const entry of await opendir(real)) {
      // Links are left out: they may lead out of the root.
      const isWanted = entry.isFile() && matches(entry.name);
      looked += 1;
      if (isWanted) matched += 1;
      if (looked > FILE_LIMITS.entries || matched > FILE_LIMITS.files) {
        warn(new RangeError(`more than ${FILE_LIMITS.entries} names or ${FILE_LIMITS.files} files`));
        break;
      }
      if (!isWanted) continue;
      const found = await stat(join(real, entry.name)).catch(() => null);
      if (found === null) continue;
      yield {
        path: relative(root, join(real, entry.name)),
        name: entry.name,
        size: found.size,
        modifiedMs: Math.trunc(found.mtimeMs),
      };
    }
  }
}

function eventOf(channel: string, { path, name, size, modifiedMs }: FoundFile): NewInboundEvent {
  const modifiedAt = new Date(modifiedMs).toISOString();
  return {
    source: 'file',
    channel,
    eventId: sha256Hex(JSON.stringify([path, size, modifiedMs])),
    eventType: 'file.ready',
    data: JSON.stringify({ path, name, size, modified_at: modifiedAt }),
  };
}

/**
 * A file name with `*` and `?`. Matched in one pass with one mark to come back to, so in no more than length times
 * length.
 */
export function globMatcher(pattern: string): (name: string) => boolean {
  return (name) => {
    let [at, star, mark] = [0, -1, 0];
    let place = 0;
    while (place < name.length) {
      const wanted = pattern[at];
      if (wanted === '*') {
        [star, mark] = [at, place];
        at += 1;
      } else if (wanted === '?' || (wanted !== undefined && wanted === name[place])) {
        at += 1;
        place += 1;
      } else if (star >= 0) {
        at = star + 1;
        mark += 1;
        place = mark;
      } else {
        return false;
      }
    }
    while (pattern[at] === '*') at += 1;
    return at === pattern.length;
  };
}
