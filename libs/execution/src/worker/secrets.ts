import { ConfigError } from '@spine/core';

/** A secret as a handler gets it: whatever prints it prints [REDACTED]. */
export interface HandlerSecret {
  reveal(): string;
}

/** Where a worker's handlers get their secrets. */
export interface HandlerSecrets {
  /** @throws what the resolver throws; ValidationError for what is no name. */
  resolveName(name: string): Promise<HandlerSecret>;
}

/** Of an executor that was given none. */
export const NO_SECRETS: HandlerSecrets = {
  resolveName: (name) =>
    Promise.reject(new ConfigError(`secret ${name}: the executor of this run was given no secrets`)),
};
