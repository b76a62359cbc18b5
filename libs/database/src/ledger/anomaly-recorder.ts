import { routeAnomaly } from '@spine/core';
import type { AnomalyRoute, AnomalyRouting } from '@spine/core';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { hasCritical, listAnomalies, recordAnomaly, resolveAnomaly } from './anomalies.ts';
import type { Anomaly, AnomalyFilter, NewAnomaly, ResolveAnomalyOutcome } from './anomalies.ts';
import type { PartitionKey } from './manifest.ts';
import type { LedgerPage, LedgerPageRequest } from './pages.ts';

export interface AnomalyRecorderOptions {
  readonly db: Db | DbTransaction;
  readonly domain: string;
  /** The run whose anomalies these are. Default none. */
  readonly runId?: string | null;
  readonly batchId?: string | null;
  /** Where the domain departs from the usual routes. */
  readonly routing?: AnomalyRouting;
}

export interface RecordedAnomaly {
  readonly anomaly: Anomaly;
  /** What is to be done about it, by whom. */
  readonly route: AnomalyRoute;
}

/** The anomalies of one domain, met by one run or by none. */
export class AnomalyRecorder {
  readonly #options: AnomalyRecorderOptions;

  constructor(options: AnomalyRecorderOptions) {
    this.#options = options;
  }

  async record(anomaly: Omit<NewAnomaly, 'domain' | 'runId' | 'batchId'>): Promise<RecordedAnomaly> {
    const { db, domain, runId = null, batchId = null, routing } = this.#options;
    const recorded = await recordAnomaly(db, { ...anomaly, domain, runId, batchId });
    return { anomaly: recorded, route: routeAnomaly(anomaly.severity, anomaly.category, routing) };
  }

  /** See {@link resolveAnomaly}. */
  resolve(anomalyId: string, by: string, note: string | null = null): Promise<ResolveAnomalyOutcome> {
    return resolveAnomaly(this.#options.db, anomalyId, by, note);
  }

  /** Unresolved anomalies of the domain, newest first. */
  listUnresolved(
    filter: Omit<AnomalyFilter, 'domain' | 'resolved'> = {},
    page: LedgerPageRequest = { limit: 100 },
  ): Promise<LedgerPage<Anomaly>> {
    const { db, domain } = this.#options;
    return listAnomalies(db, { ...filter, domain, resolved: false }, page);
  }

  /** See {@link hasCritical}. */
  hasCritical(partitionKey: PartitionKey): Promise<boolean> {
    return hasCritical(this.#options.db, this.#options.domain, partitionKey);
  }
}
