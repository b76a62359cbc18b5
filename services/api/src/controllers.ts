import type { Type } from '@nestjs/common';
import { AuditController } from './audit/audit.controller.ts';
import { DataController } from './data/data.controller.ts';
import { AskController } from './database/ask.controller.ts';
import { BackupController } from './database/backup.controller.ts';
import { DatabaseController } from './database/database.controller.ts';
import { LedgerRetentionController } from './database/ledger-retention.controller.ts';
import { DatabaseSetupController } from './database/setup.controller.ts';
import { BulkDeadLettersController } from './dead-letters/bulk-dead-letters.controller.ts';
import { DeadLettersController } from './dead-letters/dead-letters.controller.ts';
import { DeployController } from './deploy/deploy.controller.ts';
import { BreakersController } from './gates/breakers.controller.ts';
import { ExplainController } from './gates/explain.controller.ts';
import { LimitsController } from './gates/limits.controller.ts';
import { EventsController } from './events/events.controller.ts';
import { PublishController } from './events/publish.controller.ts';
import { ExamplesController } from './examples/examples.controller.ts';
import { FunctionsController } from './functions/functions.controller.ts';
import { AssetsController } from './ledger/assets.controller.ts';
import { LocksController } from './locks/locks.controller.ts';
import { BackfillControlController } from './ledger/backfills.control.controller.ts';
import { BackfillsController } from './ledger/backfills.controller.ts';
import { ExpectedSchedulesController } from './ledger/expected-schedules.controller.ts';
import { ReadinessController } from './ledger/readiness.controller.ts';
import { WatermarksController } from './ledger/watermarks.controller.ts';
import { WorkItemsController } from './ledger/work-items.controller.ts';
import { AnomaliesController } from './ledger/anomalies.controller.ts';
import { ManifestController } from './ledger/manifest.controller.ts';
import { QualityController } from './ledger/quality.controller.ts';
import { RejectsController } from './ledger/rejects.controller.ts';
import { KeysController } from './keys/keys.controller.ts';
import { LogsController } from './logs/logs.controller.ts';
import { PlaygroundMovesController } from './playground/moves.controller.ts';
import { PlaygroundSessionsController } from './playground/sessions.controller.ts';
import { LaneControlController } from './queues/lane-control.controller.ts';
import { BulkRunActionsController } from './runs/bulk-actions.controller.ts';
import { RunControlController } from './runs/control.controller.ts';
import { RunActionsController } from './runs/run-actions.controller.ts';
import { RunsController } from './runs/runs.controller.ts';
import { ScheduleRunsController } from './schedules/schedule-runs.controller.ts';
import { SchedulesController } from './schedules/schedules.controller.ts';
import { QueuesController } from './stats/queues.controller.ts';
import { StatsController } from './stats/stats.controller.ts';
import { CapabilitiesController } from './system/capabilities.controller.ts';
import { HealthController } from './system/health.controller.ts';
import { MetricsController } from './system/metrics.controller.ts';
import { TriggersController } from './triggers/triggers.controller.ts';
import { WebhooksController } from './triggers/webhooks.controller.ts';
import { WorkflowInspectController } from './workflows/inspect.controller.ts';
import { WorkflowPicturesController } from './workflows/pictures.controller.ts';
import { WorkflowOperateController } from './workflows/operate.controller.ts';
import { WorkflowChecksController } from './workflows/definitions-checks.controller.ts';
import { WorkflowVersionsController } from './workflows/definitions-versions.controller.ts';
import { WorkflowDefinitionsController } from './workflows/definitions.controller.ts';
import { WorkflowStartController } from './workflows/start.controller.ts';
import { WorkflowStatsController } from './workflows/stats.controller.ts';
import { WorkflowRunsController } from './workflows/workflow-runs.controller.ts';
import { WorkersController } from './workers/workers.controller.ts';

/** Every endpoint that Nest routes. */
export const CONTROLLERS: Type[] = [
  RunsController,
  RunActionsController,
  RunControlController,
  BulkRunActionsController,
  WorkflowRunsController,
  WorkflowStartController,
  WorkflowStatsController,
  WorkflowChecksController,
  WorkflowDefinitionsController,
  WorkflowVersionsController,
  WorkflowInspectController,
  WorkflowPicturesController,
  WorkflowOperateController,
  PlaygroundSessionsController,
  PlaygroundMovesController,
  ExamplesController,
  LogsController,
  EventsController,
  PublishController,
  DeadLettersController,
  BulkDeadLettersController,
  QueuesController,
  LaneControlController,
  WorkersController,
  StatsController,
  ExplainController,
  LimitsController,
  BreakersController,
  LocksController,
  ScheduleRunsController,
  SchedulesController,
  TriggersController,
  WebhooksController,
  AssetsController,
  DatabaseController,
  DatabaseSetupController,
  AskController,
  BackupController,
  DeployController,
  LedgerRetentionController,
  BackfillControlController,
  BackfillsController,
  ExpectedSchedulesController,
  ReadinessController,
  WatermarksController,
  WorkItemsController,
  ManifestController,
  QualityController,
  AnomaliesController,
  RejectsController,
  FunctionsController,
  KeysController,
  AuditController,
  HealthController,
  MetricsController,
  CapabilitiesController,
  DataController,
];
