/** What controllers are given: plain objects, by name. */
export const ENGINE = Symbol('engine');
export const LOGGER = Symbol('logger');
export const SETTINGS = Symbol('settings');
export const VARIABLES = Symbol('variables');
export const SCHEDULES = Symbol('schedules');
export const PLAYGROUND = Symbol('playground');
export const EXAMPLE_LIST = Symbol('examples');
export const WEBHOOKS = Symbol('webhooks');
export const KEYS = Symbol('keys');
