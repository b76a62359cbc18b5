/** Bodies and answers of backups. */
import { z } from 'zod';
import { offsetPaging } from '../http/paging.ts';
import type { BackupFile } from './backup-files.ts';

export const backupBody = z
  .strictObject({
    timeout_seconds: z
      .int()
      .min(1)
      .max(86_400)
      .default(3_600)
      .describe('After that it is given up. Default 3,600.'),
  })
  .optional()
  .meta({ id: 'BackupRequest', examples: [{ timeout_seconds: 3600 }] });
export type BackupBody = z.infer<typeof backupBody>;

export const DEFAULT_TIMEOUT_SECONDS = 3_600;

export const backedUpJson = z
  .object({
    name: z.string().describe('Of the file, in the folder SPINE_BACKUP_DIR of the API’s machine.'),
    bytes: z.int(),
    duration_ms: z.int(),
  })
  .meta({ id: 'DatabaseBackup' });

export const backupFileJson = z
  .object({ name: z.string(), bytes: z.int(), completed_at: z.iso.datetime() })
  .meta({ id: 'DatabaseBackupFile' });

export function toBackupFileJson({ name, bytes, completedAt }: BackupFile): z.infer<typeof backupFileJson> {
  return { name, bytes, completed_at: completedAt.toISOString() };
}

export const backupListQuery = z.strictObject(offsetPaging);
export type BackupListQuery = z.infer<typeof backupListQuery>;
