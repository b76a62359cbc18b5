-- The run engine's tables. Every transition is a guarded UPDATE; what stands here refuses what a guard missed.

-- The services run as this role. It can append events and cannot rewrite them.
DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'spine_app') THEN
    CREATE ROLE spine_app NOLOGIN;
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN NULL;
  WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'the migrating user may not create roles'
      USING HINT = 'run once as an administrator: CREATE ROLE spine_app NOLOGIN; GRANT spine_app TO <the migrating user>;';
END
$$;
DO $$
BEGIN
  IF NOT pg_has_role(current_user, 'spine_app', 'MEMBER') THEN
    EXECUTE format('GRANT spine_app TO %I', current_user);
  END IF;
END
$$;
GRANT USAGE ON SCHEMA public TO spine_app;

CREATE TABLE runs (
  id               uuid        PRIMARY KEY,
  kind             text        NOT NULL,
  name             text        NOT NULL,
  lane             text        NOT NULL,
  priority         smallint    NOT NULL,
  status           text        NOT NULL,
  params           jsonb       NOT NULL,
  result           jsonb,
  error            jsonb,
  idempotency_key  text,
  spec_hash        text,
  correlation_id   text,
  parent_run_id    uuid,
  retry_of_run_id  uuid,
  trigger_source   text        NOT NULL,
  metadata         jsonb       NOT NULL,
  tags             text[]      NOT NULL,
  max_attempts     integer     NOT NULL,
  retry_delay_ms   bigint      NOT NULL,
  timeout_ms       bigint      NOT NULL,
  dead_letter      boolean     NOT NULL,
  -- attempt is the retry budget, crash_count the poison limit, epoch the fence: only epoch may be trusted as a fence,
  -- because a hand-back lowers attempt.
  attempt          integer     NOT NULL DEFAULT 0,
  crash_count      integer     NOT NULL DEFAULT 0,
  epoch            bigint      NOT NULL DEFAULT 0,
  finished_epoch   bigint,
  lease_owner      uuid,
  lease_expires_at timestamptz,
  deadline_at      timestamptz,
  available_at     timestamptz NOT NULL,
  dispatch_after   timestamptz,
  dispatch_no      integer     NOT NULL DEFAULT 0,
  created_at       timestamptz NOT NULL DEFAULT now(),
  started_at       timestamptz,
  completed_at     timestamptz,

  CONSTRAINT runs_kind CHECK (kind IN ('task', 'operation', 'workflow', 'step')),
  CONSTRAINT runs_status CHECK (status IN
    ('pending', 'queued', 'running', 'completed', 'failed', 'cancelled', 'timed_out', 'dead_lettered')),
  CONSTRAINT runs_priority CHECK (priority BETWEEN 0 AND 4),
  CONSTRAINT runs_budget CHECK (max_attempts BETWEEN 1 AND 1001 AND attempt BETWEEN 0 AND max_attempts
    AND crash_count >= 0 AND epoch >= 0 AND dispatch_no >= 0 AND retry_delay_ms >= 0 AND timeout_ms > 0),
  CONSTRAINT runs_lease_while_running CHECK ((status = 'running')
    = (lease_owner IS NOT NULL AND lease_expires_at IS NOT NULL AND deadline_at IS NOT NULL)),
  CONSTRAINT runs_no_lease_at_rest CHECK (status = 'running'
    OR (lease_owner IS NULL AND lease_expires_at IS NULL AND deadline_at IS NULL)),
  CONSTRAINT runs_dispatch_while_waiting CHECK ((status IN ('pending', 'queued')) = (dispatch_after IS NOT NULL)),
  CONSTRAINT runs_completed_at_when_terminal CHECK
    ((status IN ('completed', 'failed', 'cancelled', 'timed_out', 'dead_lettered')) = (completed_at IS NOT NULL)),
  CONSTRAINT runs_result_when_completed CHECK (result IS NULL OR status = 'completed'),
  CONSTRAINT runs_error_when_failed CHECK (status NOT IN ('failed', 'timed_out', 'dead_lettered') OR error IS NOT NULL),
  CONSTRAINT runs_dead_letter_opt_out CHECK (status <> 'dead_lettered' OR dead_letter),
  CONSTRAINT runs_finished_epoch CHECK (finished_epoch IS NULL OR finished_epoch <= epoch),
  CONSTRAINT runs_key_has_hash CHECK ((idempotency_key IS NULL) = (spec_hash IS NULL))
);

CREATE UNIQUE INDEX runs_idempotency_key ON runs (idempotency_key) WHERE idempotency_key IS NOT NULL;
-- Indexes whose predicate names status make every transition a non-HOT update: two, no more.
CREATE INDEX runs_dispatch ON runs (dispatch_after) WHERE status IN ('pending', 'queued');
CREATE INDEX runs_overdue ON runs ((LEAST(lease_expires_at, deadline_at))) WHERE status = 'running';
-- Failures are few and are what an operator lists.
CREATE INDEX runs_unsuccessful ON runs (status, id) WHERE status IN ('failed', 'cancelled', 'timed_out', 'dead_lettered');
CREATE INDEX runs_parent ON runs (parent_run_id, id) WHERE parent_run_id IS NOT NULL;
CREATE INDEX runs_correlation ON runs (correlation_id, id) WHERE correlation_id IS NOT NULL;

CREATE FUNCTION spine_refuse_run_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.epoch < OLD.epoch THEN
    RAISE EXCEPTION 'run % may not lower its epoch from % to %', OLD.id, OLD.epoch, NEW.epoch
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RAISE EXCEPTION 'run % is % and may not change', OLD.id, OLD.status
    USING ERRCODE = 'integrity_constraint_violation';
END
$$;
-- WHEN keeps the function call off every lawful transition.
CREATE TRIGGER runs_terminal_is_absorbing BEFORE UPDATE ON runs FOR EACH ROW
  WHEN (NEW.epoch < OLD.epoch
    OR OLD.status IN ('completed', 'failed', 'cancelled', 'timed_out', 'dead_lettered'))
  EXECUTE FUNCTION spine_refuse_run_update();

CREATE TABLE run_events (
  event_id   bigint      GENERATED ALWAYS AS IDENTITY,
  run_id     uuid        NOT NULL,
  epoch      bigint      NOT NULL,
  event_type text        NOT NULL,
  terminal   boolean     NOT NULL DEFAULT false,
  data       jsonb,
  source     text        NOT NULL,
  timestamp  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run_id, event_id),
  -- A pattern here cost more than the insert itself; the writers' types and the handler context check the form.
  CONSTRAINT run_events_type CHECK (char_length(event_type) BETWEEN 1 AND 64)
);
-- Independent proof that no run settles twice: the guard is in the UPDATE, this refuses what it would miss.
CREATE UNIQUE INDEX run_events_one_terminal ON run_events (run_id) WHERE terminal;

CREATE FUNCTION spine_refuse_event_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'run_events is append only' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER run_events_append_only BEFORE UPDATE ON run_events FOR EACH ROW
  EXECUTE FUNCTION spine_refuse_event_update();

CREATE TABLE dead_letters (
  id             uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
  run_id         uuid        NOT NULL UNIQUE,
  kind           text        NOT NULL,
  name           text        NOT NULL,
  lane           text        NOT NULL,
  params         jsonb       NOT NULL,
  error          jsonb       NOT NULL,
  error_category text        NOT NULL,
  attempts       integer     NOT NULL,
  crash_count    integer     NOT NULL,
  correlation_id text,
  created_at     timestamptz NOT NULL DEFAULT now(),
  resolved_at    timestamptz,
  resolution     text,
  resolved_by    text,
  note           text,
  replay_run_id  uuid,
  CONSTRAINT dead_letters_resolution CHECK (resolution IN ('replayed', 'resolved')),
  CONSTRAINT dead_letters_resolved CHECK ((resolved_at IS NULL) = (resolution IS NULL)
    AND (resolved_at IS NULL) = (resolved_by IS NULL)),
  CONSTRAINT dead_letters_replay CHECK ((resolution = 'replayed') = (replay_run_id IS NOT NULL) OR resolution IS NULL)
);
CREATE INDEX dead_letters_recent ON dead_letters (created_at DESC, id DESC);
CREATE INDEX dead_letters_pending ON dead_letters (created_at DESC, id DESC) WHERE resolved_at IS NULL;
CREATE INDEX dead_letters_handler ON dead_letters (name, created_at DESC);
CREATE INDEX dead_letters_category ON dead_letters (error_category, created_at DESC);

CREATE TABLE workers (
  id           uuid        PRIMARY KEY,
  hostname     text        NOT NULL,
  pid          integer     NOT NULL,
  version      text        NOT NULL,
  lanes        text[]      NOT NULL,
  handlers     text[]      NOT NULL,
  slots        integer     NOT NULL,
  running      integer     NOT NULL DEFAULT 0,
  status       text        NOT NULL DEFAULT 'active',
  started_at   timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT workers_status CHECK (status IN ('active', 'draining', 'stopped')),
  CONSTRAINT workers_slots CHECK (slots > 0 AND running >= 0)
);
CREATE INDEX workers_seen ON workers (last_seen_at);

GRANT SELECT, INSERT, UPDATE ON runs, dead_letters TO spine_app;
GRANT SELECT, INSERT ON run_events TO spine_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON workers TO spine_app;
