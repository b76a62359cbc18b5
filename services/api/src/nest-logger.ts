import type { LoggerService } from '@nestjs/common';
import type { Logger } from '@spine/observability';

/** Nest's own messages in our log. What it says at its start is of interest to its developers only. */
export class NestLogger implements LoggerService {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  log(message: unknown): void {
    this.#logger.debug({ source: 'nest' }, String(message));
  }

  warn(message: unknown): void {
    this.#logger.warn({ source: 'nest' }, String(message));
  }

  error(message: unknown): void {
    this.#logger.error({ source: 'nest', err: message }, 'nest reported an error');
  }

  debug(message: unknown): void {
    this.#logger.trace({ source: 'nest' }, String(message));
  }
}
