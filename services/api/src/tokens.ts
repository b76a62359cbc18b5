/** What controllers are given: plain objects, by name. */
export const ENGINE = Symbol('engine');
export const LOGGER = Symbol('logger');
export const SETTINGS = Symbol('settings');
export const SCHEDULES = Symbol('schedules');
export const WEBHOOKS = Symbol('webhooks');
