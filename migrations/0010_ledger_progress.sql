-- The ledger's plans: how far a source was read, what is to be done again, what work is wanted, what is expected when,
-- and whether a partition may be used.

-- How far each partition of a source was read. It only goes forward.
CREATE TABLE watermarks (
  domain        text        NOT NULL,
  source        text        NOT NULL,
  partition_key text        NOT NULL,
  kind          text        NOT NULL,
  -- In the one spelling of its kind. Dates and instants of one spelling are ordered as their text is.
  high_water    text        NOT NULL,
  metadata      jsonb       NOT NULL DEFAULT '{}',
  run_id        uuid,
  batch_id      text,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (domain, source, partition_key),
  CONSTRAINT watermarks_high_water CHECK (CASE kind
    WHEN 'date' THEN high_water ~ '^\d{4}-\d\d-\d\d$'
    WHEN 'instant' THEN high_water ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$'
    WHEN 'integer' THEN high_water ~ '^(0|-?[1-9]\d{0,99})$'
    WHEN 'text' THEN char_length(high_water) BETWEEN 1 AND 1000
    ELSE false END)
);

-- Whether a watermark lies after another one of the same kind. Text is compared by code point, whatever the collation.
CREATE FUNCTION spine_high_water_after(kind text, ahead text, behind text) RETURNS boolean
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN CASE kind
    WHEN 'integer' THEN ahead::numeric > behind::numeric
    ELSE (ahead COLLATE "C") > (behind COLLATE "C") END;

CREATE FUNCTION spine_refuse_watermark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'watermark of % % % may not go from % % to % %', OLD.domain, OLD.source, OLD.partition_key,
    OLD.kind, OLD.high_water, NEW.kind, NEW.high_water USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER watermarks_forward_only BEFORE UPDATE ON watermarks FOR EACH ROW
  WHEN (OLD.kind <> NEW.kind OR spine_high_water_after(OLD.kind, OLD.high_water, NEW.high_water))
  EXECUTE FUNCTION spine_refuse_watermark();

-- A plan to do partitions again, as runs.
CREATE TABLE backfills (
  id            uuid        PRIMARY KEY,
  domain        text        NOT NULL,
  source        text        NOT NULL,
  reason        text        NOT NULL,
  status        text        NOT NULL DEFAULT 'PLANNED',
  -- The run that each partition becomes: this handler, these params and the fields of the partition's key.
  run_kind      text        NOT NULL,
  run_name      text        NOT NULL,
  params        jsonb       NOT NULL,
  lane          text        NOT NULL,
  priority      smallint    NOT NULL,
  -- Runs at the same time.
  concurrency   integer     NOT NULL,
  -- Runs a partition may fail before it counts as failed.
  max_attempts  integer     NOT NULL,
  -- Of each run; null for the handler's own.
  max_retries   integer,
  timeout_ms    bigint,
  -- Kept in step with the partitions by the statements that change them.
  total         integer     NOT NULL,
  completed     integer     NOT NULL DEFAULT 0,
  failed        integer     NOT NULL DEFAULT 0,
  checkpoint    jsonb,
  note          text,
  created_by    text        NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  started_at    timestamptz,
  completed_at  timestamptz,
  updated_at    timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT backfills_reason CHECK (reason IN ('GAP', 'CORRECTION', 'SCHEMA_CHANGE', 'QUALITY_FAILURE', 'MANUAL')),
  CONSTRAINT backfills_run CHECK (run_kind IN ('task', 'operation', 'workflow') AND priority BETWEEN 0 AND 4
    AND concurrency BETWEEN 1 AND 1000 AND max_attempts BETWEEN 1 AND 100 AND max_retries >= 0 AND timeout_ms > 0),
  CONSTRAINT backfills_counts CHECK (total > 0 AND completed >= 0 AND failed >= 0 AND completed + failed <= total),
  CONSTRAINT backfills_state CHECK (CASE status
    WHEN 'PLANNED' THEN num_nonnulls(started_at, completed_at) = 0 AND completed + failed = 0
    WHEN 'RUNNING' THEN started_at IS NOT NULL AND completed_at IS NULL
    WHEN 'COMPLETED' THEN num_nulls(started_at, completed_at) = 0 AND completed = total
    WHEN 'FAILED' THEN num_nulls(started_at, completed_at) = 0 AND completed + failed = total AND failed > 0
    WHEN 'CANCELLED' THEN completed_at IS NOT NULL
    ELSE false END)
);
-- Ids are ordered by time.
CREATE INDEX backfills_by_status ON backfills (status, id);
CREATE INDEX backfills_of_domain ON backfills (domain, id);

CREATE FUNCTION spine_refuse_backfill() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'backfill % is % and may not be deleted', OLD.id, OLD.status
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RAISE EXCEPTION 'backfill % may not go from % to %', OLD.id, OLD.status, NEW.status
    USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER backfills_transitions BEFORE UPDATE ON backfills FOR EACH ROW
  WHEN (OLD.status <> NEW.status AND (OLD.status || ' ' || NEW.status) NOT IN (
    'PLANNED RUNNING', 'PLANNED CANCELLED', 'RUNNING COMPLETED', 'RUNNING FAILED', 'RUNNING CANCELLED',
    'FAILED RUNNING', 'CANCELLED RUNNING'))
  EXECUTE FUNCTION spine_refuse_backfill();
-- Once started it is part of the history.
CREATE TRIGGER backfills_deletable BEFORE DELETE ON backfills FOR EACH ROW
  WHEN (OLD.status <> 'PLANNED') EXECUTE FUNCTION spine_refuse_backfill();

CREATE TABLE backfill_partitions (
  backfill_id   uuid        NOT NULL REFERENCES backfills ON DELETE CASCADE,
  ordinal       integer     NOT NULL,
  partition_key text        NOT NULL,
  status        text        NOT NULL DEFAULT 'PENDING',
  -- Runs it has had. Names the next one's idempotency key, so it never falls.
  attempts      integer     NOT NULL DEFAULT 0,
  -- Runs that failed since the plan was started or resumed.
  failures      integer     NOT NULL DEFAULT 0,
  -- The last one.
  run_id        uuid,
  error         jsonb,
  updated_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (backfill_id, ordinal),
  CONSTRAINT backfill_partitions_counts CHECK (ordinal >= 0 AND failures >= 0 AND failures <= attempts),
  CONSTRAINT backfill_partitions_state CHECK (CASE status
    WHEN 'PENDING' THEN true
    WHEN 'RUNNING' THEN run_id IS NOT NULL
    WHEN 'CANCELLING' THEN run_id IS NOT NULL
    WHEN 'DONE' THEN run_id IS NOT NULL AND error IS NULL
    WHEN 'FAILED' THEN error IS NOT NULL
    ELSE false END)
);
CREATE UNIQUE INDEX backfill_partitions_once ON backfill_partitions (backfill_id, partition_key);
CREATE INDEX backfill_partitions_by_status ON backfill_partitions (backfill_id, status, ordinal);
-- Those with a run to look at; never more than the windows of the plans that run.
CREATE INDEX backfill_partitions_open ON backfill_partitions (backfill_id) WHERE status IN ('RUNNING', 'CANCELLING');

-- Desired work: that a workflow be done for a partition, from an instant on.
CREATE TABLE work_items (
  id              uuid        PRIMARY KEY,
  domain          text        NOT NULL,
  workflow        text        NOT NULL,
  partition_key   text        NOT NULL,
  params          jsonb       NOT NULL DEFAULT '{}',
  desired_at      timestamptz NOT NULL DEFAULT now(),
  priority        smallint    NOT NULL DEFAULT 2,
  state           text        NOT NULL DEFAULT 'PENDING',
  -- +1 by every claim, never lowered: the fence of whoever holds the item.
  attempt_count   integer     NOT NULL DEFAULT 0,
  max_attempts    integer     NOT NULL DEFAULT 3,
  last_error      text,
  last_error_at   timestamptz,
  next_attempt_at timestamptz,
  latest_run_id   uuid,
  locked_by       text,
  locked_at       timestamptz,
  locked_until    timestamptz,
  completed_at    timestamptz,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  -- When somebody may take it: what waits, when its time has come; what is held, when its lock is over.
  due_at          timestamptz GENERATED ALWAYS AS (CASE state
    WHEN 'PENDING' THEN desired_at WHEN 'RETRY_WAIT' THEN next_attempt_at WHEN 'RUNNING' THEN locked_until END) STORED,
  CONSTRAINT work_items_counts CHECK (priority BETWEEN 0 AND 4 AND max_attempts BETWEEN 1 AND 1000
    AND attempt_count BETWEEN 0 AND max_attempts),
  CONSTRAINT work_items_error CHECK ((last_error IS NULL) = (last_error_at IS NULL)),
  CONSTRAINT work_items_state CHECK (CASE state
    WHEN 'PENDING' THEN num_nonnulls(locked_by, locked_at, locked_until, next_attempt_at, completed_at) = 0
    WHEN 'RUNNING' THEN num_nulls(locked_by, locked_at, locked_until) = 0
      AND num_nonnulls(next_attempt_at, completed_at) = 0 AND attempt_count > 0
    WHEN 'RETRY_WAIT' THEN num_nonnulls(locked_by, locked_at, locked_until, completed_at) = 0
      AND num_nulls(next_attempt_at, last_error) = 0
    WHEN 'COMPLETE' THEN num_nonnulls(locked_by, locked_at, locked_until, next_attempt_at) = 0 AND completed_at IS NOT NULL
    WHEN 'FAILED' THEN num_nonnulls(locked_by, locked_at, locked_until, next_attempt_at) = 0
      AND num_nulls(completed_at, last_error) = 0
    WHEN 'CANCELLED' THEN num_nonnulls(locked_by, locked_at, locked_until, next_attempt_at) = 0 AND completed_at IS NOT NULL
    ELSE false END)
);
CREATE UNIQUE INDEX work_items_once ON work_items (domain, workflow, partition_key);
CREATE INDEX work_items_due ON work_items (domain, workflow, priority, due_at)
  WHERE state IN ('PENDING', 'RETRY_WAIT', 'RUNNING');
CREATE INDEX work_items_by_state ON work_items (state, id);
CREATE INDEX work_items_of_domain ON work_items (domain, id);

-- What should exist, and when.
CREATE TABLE expected_schedules (
  domain               text        NOT NULL,
  workflow             text        NOT NULL,
  cadence              text        NOT NULL,
  -- One field holds a placeholder of the cadence; a list stands for one partition each.
  partition_template   jsonb       NOT NULL,
  -- Manifest stages that a complete partition has reached.
  required_stages      text[]      NOT NULL,
  -- After the end of the period, in UTC.
  expected_delay_hours integer     NOT NULL,
  -- After it was expected; until then figures may still change.
  preliminary_hours    integer     NOT NULL DEFAULT 0,
  active               boolean     NOT NULL DEFAULT true,
  description          text,
  created_at           timestamptz NOT NULL DEFAULT now(),
  updated_at           timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (domain, workflow),
  CONSTRAINT expected_schedules_cadence CHECK (cadence IN ('daily', 'weekdays', 'weekly', 'monthly', 'quarterly')),
  CONSTRAINT expected_schedules_hours CHECK (expected_delay_hours BETWEEN 0 AND 8784 AND preliminary_hours BETWEEN 0 AND 8784),
  CONSTRAINT expected_schedules_stages CHECK (cardinality(required_stages) > 0)
);

-- What a calculation is made from. Without cycles; the writer checks that under a lock of the table.
CREATE TABLE calc_dependencies (
  calc_domain          text        NOT NULL,
  calc_operation       text        NOT NULL,
  -- Manifest stages that say when either was made.
  calc_stage           text        NOT NULL,
  depends_on_domain    text        NOT NULL,
  depends_on_operation text        NOT NULL,
  depends_on_stage     text        NOT NULL,
  -- Fields of the calculation's key that name the partition it depends on; null for all of them.
  partition_fields     text[],
  dependency_type      text        NOT NULL,
  description          text,
  created_at           timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (calc_domain, calc_operation, depends_on_domain, depends_on_operation),
  CONSTRAINT calc_dependencies_type CHECK (dependency_type IN ('REQUIRED', 'OPTIONAL')),
  CONSTRAINT calc_dependencies_itself CHECK
    ((calc_domain, calc_operation) <> (depends_on_domain, depends_on_operation))
);

-- The last verdict on whether a partition may be used for a purpose.
CREATE TABLE data_readiness (
  domain                 text        NOT NULL,
  partition_key          text        NOT NULL,
  ready_for              text        NOT NULL,
  -- The expected schedule it was judged by.
  workflow               text        NOT NULL,
  is_ready               boolean     NOT NULL,
  all_partitions_present boolean     NOT NULL,
  all_stages_complete    boolean     NOT NULL,
  no_critical_anomalies  boolean     NOT NULL,
  dependencies_current   boolean     NOT NULL,
  age_exceeds_preliminary boolean    NOT NULL,
  blocking_reasons       jsonb       NOT NULL,
  notes                  jsonb       NOT NULL DEFAULT '[]',
  certified_by           text        NOT NULL,
  run_id                 uuid,
  evaluated_at           timestamptz NOT NULL DEFAULT now(),
  -- Since when it has been ready without a break.
  certified_at           timestamptz,
  -- When it last ceased to be.
  revoked_at             timestamptz,
  PRIMARY KEY (domain, partition_key, ready_for),
  CONSTRAINT data_readiness_verdict CHECK (is_ready = (all_partitions_present AND all_stages_complete
    AND no_critical_anomalies AND dependencies_current AND age_exceeds_preliminary)
    AND is_ready = (jsonb_array_length(blocking_reasons) = 0) AND is_ready = (certified_at IS NOT NULL))
);
CREATE INDEX data_readiness_recheck ON data_readiness (evaluated_at) WHERE is_ready;

GRANT SELECT, INSERT ON watermarks TO spine_app;
GRANT UPDATE (kind, high_water, metadata, run_id, batch_id, updated_at) ON watermarks TO spine_app;
GRANT SELECT, INSERT, DELETE ON backfills TO spine_app;
GRANT UPDATE (status, concurrency, max_attempts, completed, failed, checkpoint, note, started_at, completed_at, updated_at)
  ON backfills TO spine_app;
GRANT SELECT, INSERT ON backfill_partitions TO spine_app;
GRANT UPDATE (status, attempts, failures, run_id, error, updated_at) ON backfill_partitions TO spine_app;
GRANT SELECT, INSERT ON work_items TO spine_app;
GRANT UPDATE (params, desired_at, priority, state, attempt_count, max_attempts, last_error, last_error_at, next_attempt_at,
  latest_run_id, locked_by, locked_at, locked_until, completed_at, updated_at) ON work_items TO spine_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON expected_schedules, calc_dependencies TO spine_app;
GRANT SELECT, INSERT, UPDATE ON data_readiness TO spine_app;
