import type { Type } from '@nestjs/common';
import { DeadLettersController } from './dead-letters/dead-letters.controller.ts';
import { FunctionsController } from './functions/functions.controller.ts';
import { RunActionsController } from './runs/run-actions.controller.ts';
import { RunsController } from './runs/runs.controller.ts';
import { CapabilitiesController } from './system/capabilities.controller.ts';
import { HealthController } from './system/health.controller.ts';
import { MetricsController } from './system/metrics.controller.ts';

/** Every endpoint that Nest routes. */
export const CONTROLLERS: Type[] = [
  RunsController,
  RunActionsController,
  DeadLettersController,
  FunctionsController,
  HealthController,
  MetricsController,
  CapabilitiesController,
];
