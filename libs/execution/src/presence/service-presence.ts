/** A process of the API or the scheduler says that it is there, which version it is, and when it ends. */
import { hostname } from 'node:os';
import { newId } from '@spine/core';
import { beatProcess, endProcess } from '@spine/database';
import type { ServiceName } from '@spine/database';
import type { Engine } from '../engine.ts';
import { Ticker } from '../maintenance/ticker.ts';
import { ENGINE_VERSION } from './version.ts';

/** A third of what it may be silent for. */
const BEAT_MS = 10_000;

export interface ServicePresenceOptions extends Pick<Engine, 'pool' | 'logger'> {
  readonly service: ServiceName;
  /** Default: the engine's. */
  readonly version?: string;
}

export class ServicePresence {
  readonly processId = newId();
  readonly #options: ServicePresenceOptions;
  readonly #beat: Ticker;

  constructor(options: ServicePresenceOptions) {
    const { pool, service, version = ENGINE_VERSION, logger } = options;
    this.#options = options;
    this.#beat = new Ticker({
      name: 'presence',
      everyMs: BEAT_MS,
      logger,
      tick: async () => {
        const { processId } = this;
        await beatProcess(pool, { processId, service, hostname: hostname(), pid: process.pid, version });
        return false;
      },
    });
  }

  start(): void {
    this.#beat.start();
  }

  /** A database that does not answer keeps nobody from ending: silence says the same, later. */
  async stop(): Promise<void> {
    const { pool, logger } = this.#options;
    await this.#beat.stop();
    await endProcess(pool, this.processId).catch((error: unknown) => {
      logger.debug({ err: error }, 'the end of this process was not noted');
    });
  }
}
