import type { Type } from '@nestjs/common';
import { BulkDeadLettersController } from './dead-letters/bulk-dead-letters.controller.ts';
import { DeadLettersController } from './dead-letters/dead-letters.controller.ts';
import { BreakersController } from './gates/breakers.controller.ts';
import { ExplainController } from './gates/explain.controller.ts';
import { LimitsController } from './gates/limits.controller.ts';
import { EventsController } from './events/events.controller.ts';
import { FunctionsController } from './functions/functions.controller.ts';
import { LogsController } from './logs/logs.controller.ts';
import { LaneControlController } from './queues/lane-control.controller.ts';
import { BulkRunActionsController } from './runs/bulk-actions.controller.ts';
import { RunControlController } from './runs/control.controller.ts';
import { RunActionsController } from './runs/run-actions.controller.ts';
import { RunsController } from './runs/runs.controller.ts';
import { QueuesController } from './stats/queues.controller.ts';
import { StatsController } from './stats/stats.controller.ts';
import { CapabilitiesController } from './system/capabilities.controller.ts';
import { HealthController } from './system/health.controller.ts';
import { MetricsController } from './system/metrics.controller.ts';
import { WorkersController } from './workers/workers.controller.ts';

/** Every endpoint that Nest routes. */
export const CONTROLLERS: Type[] = [
  RunsController,
  RunActionsController,
  RunControlController,
  BulkRunActionsController,
  LogsController,
  EventsController,
  DeadLettersController,
  BulkDeadLettersController,
  QueuesController,
  LaneControlController,
  WorkersController,
  StatsController,
  ExplainController,
  LimitsController,
  BreakersController,
  FunctionsController,
  HealthController,
  MetricsController,
  CapabilitiesController,
];
