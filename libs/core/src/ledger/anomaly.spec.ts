import { describe, expect, it } from 'vitest';
import {
  ANOMALY_CATEGORIES,
  type AnomalyCategory,
  isAtLeastSeverity,
  routeAnomaly,
  SEVERITIES,
  Severity,
} from './anomaly.ts';

describe('routeAnomaly', () => {
  it.each([
    [Severity.DEBUG, 'log', false],
    [Severity.INFO, 'log', false],
    [Severity.WARN, 'ticket', true],
    [Severity.ERROR, 'ticket', true],
    [Severity.CRITICAL, 'page', true],
  ] as const)('of %s is to %s', (severity, action, needsResolution) => {
    for (const category of ANOMALY_CATEGORIES) {
      expect(routeAnomaly(severity, category)).toMatchObject({ action, needsResolution });
    }
  });

  it('names an owner for every category', () => {
    expect(
      ANOMALY_CATEGORIES.map((category) => [category, routeAnomaly(Severity.INFO, category).owner]),
    ).toEqual([
      ['QUALITY_GATE', 'data quality'],
      ['NETWORK', 'infrastructure'],
      ['DATA_QUALITY', 'data engineering'],
      ['STEP_FAILURE', 'operation owners'],
      ['WORKFLOW_FAILURE', 'operation owners'],
      ['CONFIGURATION', 'operations'],
      ['SOURCE_ERROR', 'data source owners'],
      ['TIMEOUT', 'infrastructure'],
      ['RESOURCE', 'infrastructure'],
      ['UNKNOWN', 'on call'],
    ]);
  });

  it('follows a domain: its own for one sort of trouble, then for the severity', () => {
    const routing = {
      actions: { ERROR: 'page' },
      actionsOf: { NETWORK: { ERROR: 'log' } },
      owners: { NETWORK: 'the exchange desk' },
    } as const;
    const route = (severity: Severity, category: AnomalyCategory) =>
      routeAnomaly(severity, category, routing);
    expect(route('ERROR', 'NETWORK')).toEqual({
      action: 'log',
      owner: 'the exchange desk',
      needsResolution: true,
    });
    expect(route('CRITICAL', 'NETWORK')).toMatchObject({ action: 'page' });
    expect(route('ERROR', 'TIMEOUT')).toMatchObject({ action: 'page', owner: 'infrastructure' });
    expect(route('WARN', 'TIMEOUT')).toMatchObject({ action: 'ticket' });
  });
});

describe('isAtLeastSeverity', () => {
  it('orders them as they are declared', () => {
    for (const [index, severity] of SEVERITIES.entries()) {
      expect(SEVERITIES.filter((least) => isAtLeastSeverity(severity, least))).toEqual(
        SEVERITIES.slice(0, index + 1),
      );
    }
  });
});
