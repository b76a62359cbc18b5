import { PURGEABLE_TABLES } from '@spine/core';

/** What can be purged by hand. */
export const PURGE_TABLES = ['runs', 'dead_letters', ...PURGEABLE_TABLES] as const;
export type PurgeTable = (typeof PURGE_TABLES)[number];
