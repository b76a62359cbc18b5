-- Schedules, and what became of each of their occurrences.

CREATE TABLE schedules (
  schedule_id     uuid        PRIMARY KEY,
  name            text        NOT NULL,
  description     text,
  state           text        NOT NULL,
  target_kind     text        NOT NULL,
  target_name     text        NOT NULL,
  -- The spec of the runs, as a client would submit it; params hold template values.
  work            jsonb       NOT NULL,
  schedule_type   text        NOT NULL,
  cron_expression text,
  interval_seconds integer,
  -- What an interval counts from.
  interval_anchor timestamptz,
  run_at          timestamptz,
  calendar_rule   jsonb,
  timezone        text        NOT NULL,
  starts_at       timestamptz,
  ends_at         timestamptz,
  exclusions      jsonb       NOT NULL DEFAULT '[]',
  jitter_seconds  integer     NOT NULL DEFAULT 0,
  misfire_policy  text        NOT NULL,
  misfire_grace_seconds integer NOT NULL,
  catch_up_limit  integer     NOT NULL,
  catch_up_spacing_seconds integer NOT NULL,
  catch_up_lane   text        NOT NULL,
  overlap_policy  text        NOT NULL,
  max_instances   integer     NOT NULL,
  -- Fires more often than once a minute; there is a quota for these.
  frequent        boolean     NOT NULL,
  -- Why the scheduler itself has paused it.
  paused_reason   text,
  next_fire_at    timestamptz,
  last_fire_at    timestamptz,
  version         integer     NOT NULL DEFAULT 1,
  created_by      text        NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT schedules_state CHECK (state IN ('active', 'paused', 'completed', 'deleted')),
  -- What is due is found by this column alone: it says nothing of a schedule that is not to fire.
  CONSTRAINT schedules_next CHECK ((state = 'active') = (next_fire_at IS NOT NULL)),
  CONSTRAINT schedules_paused CHECK (paused_reason IS NULL OR state = 'paused'),
  CONSTRAINT schedules_type CHECK (
    (schedule_type = 'cron') = (cron_expression IS NOT NULL)
    AND (schedule_type = 'interval') = (interval_seconds IS NOT NULL)
    AND (schedule_type = 'interval') = (interval_anchor IS NOT NULL)
    AND (schedule_type = 'date') = (run_at IS NOT NULL)
    AND (schedule_type = 'calendar') = (calendar_rule IS NOT NULL)
    AND schedule_type IN ('cron', 'interval', 'date', 'calendar')),
  CONSTRAINT schedules_bounds CHECK (
    interval_seconds > 0 AND jitter_seconds >= 0 AND misfire_grace_seconds >= 0
    AND catch_up_limit BETWEEN 1 AND 500 AND catch_up_spacing_seconds >= 0 AND max_instances > 0 AND ends_at > starts_at),
  CONSTRAINT schedules_policies CHECK (
    misfire_policy IN ('skip', 'fire_once', 'catch_up')
    AND overlap_policy IN ('allow', 'skip', 'queue', 'cancel_existing')),
  CONSTRAINT schedules_work CHECK (jsonb_typeof(work) = 'object' AND jsonb_typeof(exclusions) = 'array')
);
-- A deleted schedule keeps its history and gives its name back.
CREATE UNIQUE INDEX schedules_name ON schedules (name) WHERE state <> 'deleted';
CREATE INDEX schedules_due ON schedules (next_fire_at) WHERE next_fire_at IS NOT NULL;
CREATE INDEX schedules_frequent ON schedules (schedule_id) WHERE frequent AND state = 'active';
CREATE INDEX schedules_paused ON schedules (schedule_id) WHERE state = 'paused';

CREATE TABLE schedule_runs (
  schedule_run_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  schedule_id     uuid        NOT NULL REFERENCES schedules,
  fire_at         timestamptz NOT NULL,
  -- The last of the occurrences this row stands for.
  through_at      timestamptz NOT NULL,
  occurrences     integer     NOT NULL DEFAULT 1,
  origin          text        NOT NULL,
  status          text        NOT NULL,
  skip_reason     text,
  run_id          uuid,
  -- How late it was decided, by the database's clock.
  late_ms         bigint      NOT NULL,
  decided_by      text        NOT NULL,
  decided_at      timestamptz NOT NULL DEFAULT now(),
  -- How the run ended; null while it has not.
  run_status      text,
  ended_at        timestamptz,
  CONSTRAINT schedule_runs_origin CHECK (origin IN ('schedule', 'manual', 'backfill')),
  CONSTRAINT schedule_runs_status CHECK (
    status IN ('FIRED', 'SKIPPED', 'MISSED')
    AND (status = 'FIRED') = (run_id IS NOT NULL)
    AND (status = 'SKIPPED') = (skip_reason IS NOT NULL)),
  CONSTRAINT schedule_runs_end CHECK ((run_status IS NULL) = (ended_at IS NULL) AND (run_status IS NULL OR run_id IS NOT NULL)),
  CONSTRAINT schedule_runs_span CHECK (occurrences >= 1 AND through_at >= fire_at AND (occurrences = 1 OR status = 'MISSED'))
);
-- One occurrence is decided once.
CREATE UNIQUE INDEX schedule_runs_once ON schedule_runs (schedule_id, fire_at, origin);
-- It starts one run, whether its time came or a backfill asked for it. Runs that are asked for now are of no occurrence.
CREATE UNIQUE INDEX schedule_runs_one_run ON schedule_runs (schedule_id, fire_at) WHERE status = 'FIRED' AND origin <> 'manual';
-- Runs that have not ended, as far as is known: what the overlap policies ask about and what the sweep looks through.
CREATE INDEX schedule_runs_open ON schedule_runs (schedule_id, schedule_run_id) WHERE run_id IS NOT NULL AND run_status IS NULL;
CREATE INDEX schedule_runs_run ON schedule_runs (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX schedule_runs_status ON schedule_runs (status, schedule_run_id) WHERE status <> 'FIRED';

GRANT SELECT, INSERT, UPDATE ON schedules TO spine_app;
-- History: a decision is never changed, only how its run ended is added.
GRANT SELECT, INSERT, UPDATE (run_status, ended_at) ON schedule_runs TO spine_app;
