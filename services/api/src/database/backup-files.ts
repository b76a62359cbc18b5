/**
 * The files of backups.
 *
 * 1. A name is made here, of the time and chance: no client's text is part of a path, and none is used twice.
 * 2. What is listed is whole: a backup has its final name only when it is complete and on the disk.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

const FILE = /^spine-\d{8}T\d{6}Z-[0-9a-f]{8}\.dump$/;
const PARTIAL = /^spine-\d{8}T\d{6}Z-[0-9a-f]{8}\.dump\.partial$/;

export interface BackupFile {
  readonly name: string;
  readonly bytes: number;
  readonly completedAt: Date;
}

export class BackupFolder {
  readonly #dir: string;

  /** @param dir absolute */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /** The folder, made where it is missing, and a name that nothing has. Removes what backups that broke off have left. */
  async prepare(now: Date): Promise<{ readonly name: string; readonly partial: string }> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    for (const left of await readdir(this.#dir)) {
      if (PARTIAL.test(left)) await rm(join(this.#dir, left), { force: true });
    }
    const time = now.toISOString().replace(/\.\d+/, '').replaceAll(/[-:]/g, '');
    const name = `spine-${time}-${randomBytes(4).toString('hex')}.dump`;
    return { name, partial: join(this.#dir, `${name}.partial`) };
  }

  /** Gives a backup that is complete its name. */
  async complete({ name, partial }: { readonly name: string; readonly partial: string }): Promise<void> {
    await rename(partial, join(this.#dir, name));
  }

  /** The newest first; none where there is no folder yet. */
  async list(): Promise<BackupFile[]> {
    const names = (await this.#names()).filter((name) => FILE.test(name));
    const files = await Promise.all(
      names.map(async (name): Promise<BackupFile[]> => {
        // Somebody may clear the folder meanwhile.
        const facts = await stat(join(this.#dir, name)).catch(() => null);
        return facts === null ? [] : [{ name, bytes: facts.size, completedAt: facts.mtime }];
      }),
    );
    return files.flat().sort((a, b) => (a.name < b.name ? 1 : -1));
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.#dir);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw error;
    }
  }
}
