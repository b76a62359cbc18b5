/** Anomalies: what went wrong without ending the world. How bad it is, what sort it is, and who hears of it. */

/** How bad it is, from least to worst. */
export const Severity = {
  /** Diagnostic information for developers. */
  DEBUG: 'DEBUG',
  /** Notable, and no problem. */
  INFO: 'INFO',
  /** May need attention. */
  WARN: 'WARN',
  /** Made a step or an operation fail. */
  ERROR: 'ERROR',
  /** Needs somebody now. Data with an open one is not certified. */
  CRITICAL: 'CRITICAL',
} as const;
export type Severity = (typeof Severity)[keyof typeof Severity];

/** Every severity, from least to worst. */
export const SEVERITIES: readonly Severity[] = Object.values(Severity);

/** What sort of trouble it is. */
export const AnomalyCategory = {
  /** A quality threshold is not met. */
  QUALITY_GATE: 'QUALITY_GATE',
  /** A remote system could not be reached. */
  NETWORK: 'NETWORK',
  /** Data that arrived is not valid. */
  DATA_QUALITY: 'DATA_QUALITY',
  /** One step failed. */
  STEP_FAILURE: 'STEP_FAILURE',
  /** A whole workflow failed. */
  WORKFLOW_FAILURE: 'WORKFLOW_FAILURE',
  /** A setting is missing or wrong. */
  CONFIGURATION: 'CONFIGURATION',
  /** A source is missing or not what it should be. */
  SOURCE_ERROR: 'SOURCE_ERROR',
  /** Something took longer than it was given. */
  TIMEOUT: 'TIMEOUT',
  /** Memory, disk, slots or quota ran out. */
  RESOURCE: 'RESOURCE',
  /** Nobody has said yet: to be looked at, and given a category. */
  UNKNOWN: 'UNKNOWN',
} as const;
export type AnomalyCategory = (typeof AnomalyCategory)[keyof typeof AnomalyCategory];
export const ANOMALY_CATEGORIES: readonly AnomalyCategory[] = Object.values(AnomalyCategory);

/** What is done about an anomaly: somebody is woken, somebody gets a ticket, or it is only written down. */
export type AnomalyAction = 'page' | 'ticket' | 'log';

export interface AnomalyRoute {
  readonly action: AnomalyAction;
  /** Who looks at it. */
  readonly owner: string;
  /** Whether it stays on somebody's list until it is resolved. */
  readonly needsResolution: boolean;
}

/** Where a domain departs from the usual routes. */
export interface AnomalyRouting {
  readonly actions?: Readonly<Partial<Record<Severity, AnomalyAction>>>;
  readonly owners?: Readonly<Partial<Record<AnomalyCategory, string>>>;
  /** For one sort of trouble alone; goes before `actions`. */
  readonly actionsOf?: Readonly<
    Partial<Record<AnomalyCategory, Readonly<Partial<Record<Severity, AnomalyAction>>>>>
  >;
}

const ACTIONS: Readonly<Record<Severity, AnomalyAction>> = {
  DEBUG: 'log',
  INFO: 'log',
  WARN: 'ticket',
  ERROR: 'ticket',
  CRITICAL: 'page',
};

const OWNERS: Readonly<Record<AnomalyCategory, string>> = {
  QUALITY_GATE: 'data quality',
  NETWORK: 'infrastructure',
  DATA_QUALITY: 'data engineering',
  STEP_FAILURE: 'operation owners',
  WORKFLOW_FAILURE: 'operation owners',
  CONFIGURATION: 'operations',
  SOURCE_ERROR: 'data source owners',
  TIMEOUT: 'infrastructure',
  RESOURCE: 'infrastructure',
  UNKNOWN: 'on call',
};

/** Whether `severity` is `least` or worse. */
export function isAtLeastSeverity(severity: Severity, least: Severity): boolean {
  return SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(least);
}

/** What is done about an anomaly and by whom: the severity says how loudly, the category says who. */
export function routeAnomaly(
  severity: Severity,
  category: AnomalyCategory,
  routing: AnomalyRouting = {},
): AnomalyRoute {
  return {
    action: routing.actionsOf?.[category]?.[severity] ?? routing.actions?.[severity] ?? ACTIONS[severity],
    owner: routing.owners?.[category] ?? OWNERS[category],
    needsResolution: isAtLeastSeverity(severity, Severity.WARN),
  };
}
