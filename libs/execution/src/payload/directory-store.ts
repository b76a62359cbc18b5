/**
 * Payloads as files in a folder that every process shares.
 *
 * 1. A file has its final name only when it is whole and on the disk: written under another name, synced, renamed, and
 * the folder synced. 2. A file's name is made of an id and a slot whose forms were checked, so it lies under the root;
 * a link in its place is not followed. 3. Full disks, quotas, limits and lost mounts all end as PayloadUnavailableError.
 */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, InvariantError, isUuid } from '@spine/core';
import type { PayloadKey } from '@spine/database';
import { PayloadUnavailableError } from './errors.ts';
import { isPayloadSlot, nameOf } from './ref.ts';
import type { PayloadStore } from './store.ts';

const NAME = /^([0-9a-f-]{36})\.(params|result-\d{1,15})\.json$/;
const TEMPORARY = /^\.[0-9a-f-]{36}\.tmp$/;

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error ? String(error.code) : null;
}

export class DirectoryPayloadStore implements PayloadStore {
  readonly scheme = 'file';
  readonly mayBeUnmounted = true;
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  /**
   * Opens the folder, and makes it where it is missing.
   * @throws ConfigError when it cannot be written to.
   */
  static async open(root: string): Promise<DirectoryPayloadStore> {
    try {
      await mkdir(root, { recursive: true, mode: 0o700 });
      await access(root, constants.R_OK | constants.W_OK | constants.X_OK);
      return new DirectoryPayloadStore(await realpath(root));
    } catch (cause) {
      const reason = codeOf(cause) ?? 'unknown reason';
      throw new ConfigError(
        `SPINE_PAYLOAD_DIR: given ${JSON.stringify(root)}, which cannot be used (${reason}); allowed: a folder this process may write to`,
        { cause },
      );
    }
  }

  async put(key: PayloadKey, text: string): Promise<void> {
    await this.#try(`${nameOf(key)} could not be stored`, async () => {
      const folder = await this.#makeFolder(key);
      const temporary = join(folder, `.${randomUUID()}.tmp`);
      try {
        const file = await open(temporary, 'wx', 0o600);
        try {
          await file.writeFile(text, 'utf8');
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(temporary, this.#pathOf(key));
      } catch (error) {
        await rm(temporary, { force: true }).catch(() => undefined);
        throw error;
      }
      await syncFolder(folder);
    });
  }

  get(key: PayloadKey): Promise<string | null> {
    return this.#try(`${nameOf(key)} could not be read`, async () => {
      try {
        const file = await open(this.#pathOf(key), constants.O_RDONLY | constants.O_NOFOLLOW);
        try {
          return await file.readFile('utf8');
        } finally {
          await file.close();
        }
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return null;
        throw error;
      }
    });
  }

  async copy(from: PayloadKey, to: PayloadKey): Promise<boolean> {
    const text = await this.get(from);
    if (text === null) return false;
    await this.put(to, text);
    return true;
  }

  delete(key: PayloadKey): Promise<void> {
    return this.#try(`${nameOf(key)} could not be deleted`, () => rm(this.#pathOf(key), { force: true }));
  }

  /** Removes what puts that died have left of themselves, too. */
  async *list(minAgeMs: number): AsyncIterable<readonly PayloadKey[]> {
    const before = Date.now() - minAgeMs;
    for (const shard of await this.#try('payloads could not be listed', () => readdir(this.#root))) {
      if (!/^[0-9a-f]{2}$/.test(shard)) continue;
      const keys = await this.#try('payloads could not be listed', () => this.#listShard(shard, before));
      if (keys.length > 0) yield keys;
    }
  }

  async #listShard(shard: string, before: number): Promise<PayloadKey[]> {
    const folder = join(this.#root, shard);
    const keys: PayloadKey[] = [];
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const found = await stat(path).catch(() => null);
      if (found === null || found.mtimeMs >= before) continue;
      const [, runId, slotName = ''] = NAME.exec(name) ?? [];
      const slot = slotName.replace('-', ':');
      if (runId !== undefined && isUuid(runId) && isPayloadSlot(slot)) keys.push({ runId, slot });
      else if (TEMPORARY.test(name)) await rm(path, { force: true });
    }
    return keys;
  }

  /** By the end of the id, which is random: runs of one moment do not share a folder. */
  #folderOf(key: PayloadKey): string {
    return join(this.#root, key.runId.slice(-2));
  }

  #pathOf(key: PayloadKey): string {
    if (!isUuid(key.runId) || !isPayloadSlot(key.slot)) {
      throw new InvariantError('a payload is named by a run id and one of its slots');
    }
    return join(this.#folderOf(key), `${key.runId}.${key.slot.replace(':', '-')}.json`);
  }

  async #makeFolder(key: PayloadKey): Promise<string> {
    this.#pathOf(key);
    const folder = this.#folderOf(key);
    const made = await mkdir(folder, { mode: 0o700 }).then(
      () => true,
      (error: unknown) => {
        if (codeOf(error) === 'EEXIST') return false;
        throw error;
      },
    );
    if (made) await syncFolder(this.#root);
    return folder;
  }

  async #try<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof InvariantError) throw cause;
      throw new PayloadUnavailableError(what, { cause });
    }
  }
}

/** A name survives a crash of the machine once its folder is on the disk. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
