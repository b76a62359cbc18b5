/**
 * Noticing that sources have changed.
 *
 * 1. A snapshot of all files decides what has changed; the system's notices only say when to take one. Where they are
 *    lost, or there are none (network drives, no watches left), a slow poll finds the change.
 * 2. A change is told once nothing has changed for a moment: editors and git write many files.
 * 3. Whatever happens while nobody waits is told to whoever waits next.
 */
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { changedPaths, isCode } from './changes.ts';
import type { Snapshot } from './changes.ts';

export interface SourceWatchOptions {
  /** Folder of the project. */
  readonly root: string;
  /** Folders below it that are looked at, with all below them. */
  readonly folders: readonly string[];
  /** Without a notice. Default 5 s. */
  readonly pollMs?: number;
  /** How long nothing may change before a change is told. Default 100 ms. */
  readonly settleMs?: number;
}

interface Seen {
  readonly files: Snapshot;
  readonly folders: readonly string[];
}

async function seeFile(root: string, path: string, files: Map<string, string>): Promise<void> {
  try {
    const { mtimeMs, size } = await stat(join(root, path));
    files.set(path, `${mtimeMs} ${size}`);
  } catch {
    // Gone since its folder was read.
  }
}

async function look(root: string, top: readonly string[]): Promise<Seen> {
  const files = new Map<string, string>();
  const folders: string[] = [];
  const into = async (folder: string): Promise<void> => {
    const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => null);
    // Gone, or never there: somebody may make it.
    if (entries === null) return;
    folders.push(folder);
    await Promise.all(
      entries.map(async (entry) => {
        const path = `${folder}/${entry.name}`;
        if (entry.isDirectory()) await into(path);
        else if (isCode(path)) await seeFile(root, path, files);
      }),
    );
  };
  await Promise.all(top.map(into));
  return { files, folders };
}

export class SourceWatch {
  readonly #options: Required<SourceWatchOptions>;
  readonly #watchers = new Map<string, FSWatcher>();
  #known: Snapshot = new Map();
  #hint = new AbortController();
  #closed = false;

  private constructor(options: Required<SourceWatchOptions>) {
    this.#options = options;
  }

  /** Changes are told from now on. */
  static async open({ pollMs = 5_000, settleMs = 100, ...rest }: SourceWatchOptions): Promise<SourceWatch> {
    const made = new SourceWatch({ ...rest, pollMs, settleMs });
    made.#known = await made.#look();
    return made;
  }

  /** Waits for a change. @returns the paths that have changed. @throws the signal's reason */
  async changes(signal: AbortSignal): Promise<string[]> {
    const { pollMs, settleMs } = this.#options;
    for (;;) {
      const hint = this.#hint.signal;
      let now = await this.#look();
      if (changedPaths(this.#known, now).length > 0) {
        for (let before: Snapshot | null = null; before === null || changedPaths(before, now).length > 0;) {
          await delay(settleMs, undefined, { signal }).catch(() => signal.throwIfAborted());
          before = now;
          now = await this.#look();
        }
        const changed = changedPaths(this.#known, now);
        this.#known = now;
        // None is left where it was changed back.
        if (changed.length > 0) return changed;
      }
      await delay(pollMs, undefined, { signal: AbortSignal.any([signal, hint]) }).catch(() => undefined);
      signal.throwIfAborted();
      // A notice that came while nobody waited has ended this wait at once; the next is a new one.
      if (hint.aborted) this.#hint = new AbortController();
    }
  }

  /** Asks the system for no more notices. */
  close(): void {
    this.#closed = true;
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  async #look(): Promise<Snapshot> {
    const { root, folders: top } = this.#options;
    const { files, folders } = await look(root, top);
    if (this.#closed) return files;
    const there = new Set(folders);
    for (const folder of there) {
      if (this.#watchers.has(folder)) continue;
      this.#watch(folder);
      // What changed in it before it was watched is seen by another look.
      this.#hint.abort();
    }
    for (const [folder, watcher] of this.#watchers) {
      if (there.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    return files;
  }

  #watch(folder: string): void {
    try {
      const watcher = watch(join(this.#options.root, folder), { persistent: false });
      watcher.on('change', () => this.#hint.abort());
      watcher.on('error', () => watcher.close());
      this.#watchers.set(folder, watcher);
    } catch {
      // The folder has gone, or the system gives no more watches: the poll looks at it.
    }
  }
}
