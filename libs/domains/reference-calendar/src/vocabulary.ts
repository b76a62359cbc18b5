import { defineStages } from '@spine/core';

/** The names of this domain. They stand in stored rows: renaming one is a data migration. */

export const DOMAIN = 'reference.calendar';

/** The operation that loads a calendar file, without its kind. */
export const LOAD_CALENDAR = 'reference.calendar.load';

/** Stages of an exchange's year. */
export const STAGES = defineStages(['LOADED']);
