import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EmbeddedPostgresError } from './errors.ts';
import { refuseForeignOwner } from './placement.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spine-owner-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('refuseForeignOwner', () => {
  it('names both users when the data directory is another one’s', () => {
    const { uid } = statSync(folder);
    const check = () => refuseForeignOwner(folder, uid + 1);
    expect(check).toThrow(EmbeddedPostgresError);
    expect(check).toThrow(`belongs to user id ${uid}, and this process runs as user id ${uid + 1}`);
  });

  it('accepts its owner, root, systems without user ids, and a folder that is not there', () => {
    const { uid } = statSync(folder);
    for (const own of [uid, 0, undefined]) expect(() => refuseForeignOwner(folder, own)).not.toThrow();
    expect(() => refuseForeignOwner(join(folder, 'new'), uid + 1)).not.toThrow();
  });
});
