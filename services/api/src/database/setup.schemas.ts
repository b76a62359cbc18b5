/** How the database and its clients are set up: bodies and answers. */
import { z } from 'zod';
import { describeVariable } from '@spine/config';
import type { ShownVariable } from '@spine/config';
import type { MigrationPlan, ServerSetting } from '@spine/database';

export const configJson = z
  .object({
    tier: z.string(),
    mode: z.enum(['open', 'keys']),
    settings: z
      .array(
        z.object({
          name: z.string(),
          value: z
            .string()
            .nullable()
            .describe('Null: not set, without a default. What could be a secret is never shown.'),
          source: z.string().describe('default, environment, a file, or a profile.'),
          meaning: z.string(),
        }),
      )
      .describe('Of this API process, as it started.'),
    server: z
      .array(z.object({ name: z.string(), value: z.string(), source: z.string() }))
      .describe('Of Postgres, as they hold for this process.'),
  })
  .meta({ id: 'DatabaseConfig' });

export function toSettingJson({ name, value, source }: ShownVariable) {
  return { name, value, source, meaning: describeVariable(name).meaning };
}

export function toServerSettingJson({ name, value, source }: ServerSetting) {
  return { name, value, source };
}

export const initBody = z
  .strictObject({ dry_run: z.boolean().default(true).describe('false applies them. Default true.') })
  .meta({ id: 'DatabaseInitRequest', examples: [{ dry_run: true }] });
export type InitBody = z.infer<typeof initBody>;

export const initJson = z
  .object({
    dry_run: z.boolean(),
    version: z.int().describe('The last migration that the database has; 0 for none.'),
    pending: z.array(z.string()).describe('What was not applied before this request, in order.'),
    applied: z.array(z.string()).describe('What this request has applied.'),
    may_apply: z.boolean().describe('Whether this API has a role that may; see SPINE_ADMIN_DATABASE_URL.'),
  })
  .meta({ id: 'DatabaseInit' });

/** What keeps the migrator from doing anything, in words; null for nothing. */
export function refusalOf(plan: MigrationPlan): string | null {
  switch (plan.type) {
    case 'apply':
      return null;
    case 'edited':
      return `migration ${plan.name} was changed after it was applied; restore it`;
    case 'unknown':
      return `the database has migration ${plan.name}, which this version does not know; deploy a newer one`;
  }
}
