import { costSuite } from './cost.ts';
import { engineSuite } from './engine.ts';
import { historySuite } from './history.ts';
import { httpSuite } from './http.ts';
import { idleLoadSuite } from './idle-load.ts';
import { idleSuite } from './idle.ts';
import { ingestSuite } from './ingest.ts';
import { readsSuite } from './reads.ts';
import { redisDownSuite } from './redis-down.ts';
import { retentionSuite } from './retention.ts';
import { schedulesSuite } from './schedules.ts';
import { simulateSuite } from './simulate.ts';
import { slowHandlersSuite } from './slow-handlers.ts';
import type { Suite } from './suite.ts';
import { sleepersSuite } from './sleepers.ts';
import { workflowSuite } from './workflow.ts';
import { workflowCostSuite } from './workflow-cost.ts';
import { workflowMapSuite } from './workflow-map.ts';

export const SUITES: readonly Suite[] = [
  engineSuite,
  idleSuite,
  httpSuite,
  readsSuite,
  costSuite,
  slowHandlersSuite,
  historySuite,
  idleLoadSuite,
  redisDownSuite,
  simulateSuite,
  retentionSuite,
  ingestSuite,
  schedulesSuite,
  workflowSuite,
  workflowMapSuite,
  workflowCostSuite,
  sleepersSuite,
];

/** The paired run. */
export const BY_DEFAULT: readonly string[] = ['engine', 'idle'];
