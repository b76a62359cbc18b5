-- Durable workflows. A workflow run is a row of `runs`; a worker claims it and hands it over to the engine, which advances
-- it by what is in its inbox. See docs/workflows.md.

-- What was defined, and when. A version never changes; the same definition again is the same version.
CREATE TABLE workflow_definitions (
  name       text        NOT NULL,
  version    integer     NOT NULL,
  hash       text        NOT NULL,
  definition jsonb       NOT NULL,
  changelog  text,
  created_by text        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (name, version),
  CONSTRAINT workflow_definitions_version CHECK (version >= 1),
  CONSTRAINT workflow_definitions_hash CHECK (hash ~ '^[0-9a-f]{64}$')
);
CREATE UNIQUE INDEX workflow_definitions_once ON workflow_definitions (name, hash);

-- Runs that the engine advances. No foreign key to `runs`: its checks would be paid by every transition of every run.
CREATE TABLE workflow_runs (
  run_id          uuid        PRIMARY KEY,
  name            text        NOT NULL,
  version         integer     NOT NULL,
  -- At which the engine holds the run. Another hand-over, after a pause, makes it higher.
  epoch           bigint      NOT NULL,
  -- active: advanced when something is due. suspended: its run is paused. ended: nothing more happens.
  status          text        NOT NULL DEFAULT 'active',
  -- The head of the planner's state; its records are in workflow_state.
  head            jsonb,
  -- Events told so far.
  seq             bigint      NOT NULL DEFAULT 0,
  created_at      timestamptz NOT NULL DEFAULT now(),
  ended_at        timestamptz,
  CONSTRAINT workflow_runs_status CHECK (status IN ('active', 'suspended', 'ended')),
  CONSTRAINT workflow_runs_ended CHECK ((status = 'ended') = (ended_at IS NOT NULL)),
  CONSTRAINT workflow_runs_counts CHECK (epoch >= 1 AND seq >= 0),
  FOREIGN KEY (name, version) REFERENCES workflow_definitions
);
CREATE INDEX workflow_runs_of ON workflow_runs (name, run_id);

-- The planner's records of steps and items of maps. An advance reads and writes those that it is about.
CREATE TABLE workflow_state (
  run_id uuid  NOT NULL,
  -- step or item
  part   text  NOT NULL,
  key    text  NOT NULL,
  value  jsonb NOT NULL,
  PRIMARY KEY (run_id, part, key),
  CONSTRAINT workflow_state_part CHECK (part IN ('step', 'item'))
);

-- What a workflow run has to be told. A row is removed by the advance that told it.
CREATE TABLE workflow_inbox (
  event_seq       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workflow_run_id uuid        NOT NULL,
  -- A run that has ended: one that the workflow started, or the workflow's own.
  ended_run_id    uuid,
  event           jsonb,
  -- Of a timer: its name, by which it is cleared.
  timer           text,
  -- infinity: kept until the workflow is resumed.
  due_at          timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT workflow_inbox_one CHECK (num_nonnulls(ended_run_id, event) = 1 AND (timer IS NULL OR event IS NOT NULL))
);
CREATE INDEX workflow_inbox_due ON workflow_inbox (due_at, workflow_run_id);
CREATE INDEX workflow_inbox_of ON workflow_inbox (workflow_run_id, due_at);
CREATE UNIQUE INDEX workflow_inbox_timer ON workflow_inbox (workflow_run_id, timer) WHERE timer IS NOT NULL;

-- Runs that a workflow has started. A unit (a step, an item of a map, a compensation) and an attempt name one piece of
-- work for ever: starting it twice is refused here.
CREATE TABLE workflow_steps (
  workflow_run_id uuid        NOT NULL,
  unit            text        NOT NULL,
  attempt         integer     NOT NULL,
  run_id          uuid        NOT NULL,
  -- Whose end the workflow waits for as what; detached: not at all.
  kind            text        NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workflow_run_id, unit, attempt),
  CONSTRAINT workflow_steps_kind CHECK (kind IN ('step', 'item', 'child', 'detached')),
  CONSTRAINT workflow_steps_attempt CHECK (attempt >= 1)
);
CREATE UNIQUE INDEX workflow_steps_run ON workflow_steps (run_id);

-- What a run that a workflow has started begins with besides its params: context, environment, ancestors.
CREATE TABLE workflow_starts (
  run_id    uuid  PRIMARY KEY,
  inherited jsonb NOT NULL
);

-- What a workflow run was told, in order: the same events give the same state again.
CREATE TABLE workflow_history (
  run_id    uuid        NOT NULL,
  event_no  bigint      NOT NULL,
  event     jsonb       NOT NULL,
  -- The time that the plan was made for.
  timestamp timestamptz NOT NULL,
  PRIMARY KEY (run_id, event_no)
);

-- Questions that a workflow waits for somebody to answer.
CREATE TABLE workflow_approvals (
  workflow_run_id uuid        NOT NULL,
  step            text        NOT NULL,
  attempt         integer     NOT NULL,
  approvers       text[]      NOT NULL,
  message         text        NOT NULL,
  fields          jsonb       NOT NULL,
  asked_at        timestamptz NOT NULL DEFAULT now(),
  expires_at      timestamptz NOT NULL,
  decided_at      timestamptz,
  approved        boolean,
  decided_by      text,
  comment         text,
  -- Withdrawn: timed out, or the workflow no longer asks.
  withdrawn_at    timestamptz,
  PRIMARY KEY (workflow_run_id, step, attempt),
  CONSTRAINT workflow_approvals_decided CHECK ((decided_at IS NULL) = (approved IS NULL)
    AND (decided_at IS NULL) = (decided_by IS NULL))
);
CREATE INDEX workflow_approvals_open ON workflow_approvals (asked_at, workflow_run_id)
  WHERE decided_at IS NULL AND withdrawn_at IS NULL;

-- Whatever ends a run that a workflow has started (its worker, the reaper, a cancel, a time to live), the workflow hears
-- of it when that commits, or it has not happened. WHEN keeps the call off every other transition.
CREATE FUNCTION spine_workflow_run_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO public.workflow_inbox (workflow_run_id, ended_run_id)
  SELECT w.run_id, NEW.id FROM public.workflow_runs w
  WHERE w.run_id IN (NEW.parent_run_id, NEW.id) AND w.status <> 'ended';
  RETURN NULL;
END
$$;
CREATE TRIGGER runs_workflow_hears AFTER UPDATE ON runs FOR EACH ROW
  WHEN (NEW.completed_at IS NOT NULL AND NEW.kind IN ('step', 'workflow'))
  EXECUTE FUNCTION spine_workflow_run_ended();

-- What belongs to a workflow goes with its run, whoever deletes that.
CREATE FUNCTION spine_workflows_purged() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM gone WHERE kind IN ('step', 'workflow')) THEN RETURN NULL; END IF;
  DELETE FROM public.workflow_steps s USING gone g WHERE s.run_id = g.id AND g.kind IN ('step', 'workflow');
  DELETE FROM public.workflow_steps s USING gone g WHERE s.workflow_run_id = g.id AND g.kind = 'workflow';
  DELETE FROM public.workflow_state s USING gone g WHERE s.run_id = g.id AND g.kind = 'workflow';
  DELETE FROM public.workflow_inbox i USING gone g WHERE i.workflow_run_id = g.id AND g.kind = 'workflow';
  DELETE FROM public.workflow_starts s USING gone g WHERE s.run_id = g.id AND g.kind = 'workflow';
  DELETE FROM public.workflow_history h USING gone g WHERE h.run_id = g.id AND g.kind = 'workflow';
  DELETE FROM public.workflow_approvals a USING gone g WHERE a.workflow_run_id = g.id AND g.kind = 'workflow';
  DELETE FROM public.workflow_runs w USING gone g WHERE w.run_id = g.id AND g.kind = 'workflow';
  RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION spine_workflows_purged() FROM PUBLIC;
CREATE TRIGGER runs_workflows_purged AFTER DELETE ON runs REFERENCING OLD TABLE AS gone FOR EACH STATEMENT
  EXECUTE FUNCTION spine_workflows_purged();

GRANT SELECT, INSERT ON workflow_definitions, workflow_history, workflow_starts TO spine_app;
GRANT SELECT, INSERT, UPDATE (epoch, status, head, seq, ended_at) ON workflow_runs TO spine_app;
GRANT SELECT, INSERT, UPDATE (value), DELETE ON workflow_state TO spine_app;
GRANT SELECT, INSERT, UPDATE (due_at), DELETE ON workflow_inbox TO spine_app;
GRANT SELECT, INSERT, UPDATE (run_id) ON workflow_steps TO spine_app;
GRANT SELECT, INSERT, UPDATE (decided_at, approved, decided_by, comment, withdrawn_at) ON workflow_approvals TO spine_app;
