/** What stands between a handler and what it depends on: circuit breakers and rates. */
import { silentLogger } from '@spine/observability';
import { BreakerRegistry } from '../policy/breaker-registry.ts';
import { memoryLimits } from './limits.ts';
import type { Limits } from './limits.ts';

export interface Guards {
  readonly breakers: BreakerRegistry;
  readonly limits: Limits;
}

let ofThisProcess: Guards | null = null;

/** For executors without an engine: kept in memory, one set for the whole process, because its dependencies are too. */
export function processGuards(): Guards {
  ofThisProcess ??= {
    breakers: new BreakerRegistry({ db: null, logger: silentLogger(), metrics: null, by: 'process' }),
    limits: memoryLimits(),
  };
  return ofThisProcess;
}
