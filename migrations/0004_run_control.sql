-- Pausing runs and lanes, times to live, deadlines of a whole run, singletons, retry policies, gates, and references to
-- payloads that are too large for the row.

ALTER TABLE runs
  -- A run that has not started by then never does.
  ADD COLUMN expires_at      timestamptz,
  -- A run that has not ended by then, whatever its attempts allow, is over.
  ADD COLUMN run_deadline_at timestamptz,
  -- Of the runs with one key at most one is active and one waits.
  ADD COLUMN singleton_key   text,
  ADD COLUMN retry_policy    jsonb,
  -- What has to be free before the run may start; null for nothing. Such runs are claimed by a statement of their own.
  ADD COLUMN gates           jsonb,
  -- Where params or result are when they are not in the row.
  ADD COLUMN params_ref      text,
  ADD COLUMN result_ref      text;

-- What each state has and what it has not, as a sum: 1 due for a hint, 2 for each part of a lease, 8 over, 16 for a result
-- in the row or elsewhere. Every column once, because a CHECK is parsed anew by every statement: spelt out state by state
-- it was a quarter of what a statement for a single run costs.
-- 0001 was given out in two forms, with one constraint for this or with eight: either ends here.
ALTER TABLE runs
  DROP CONSTRAINT IF EXISTS runs_state,
  DROP CONSTRAINT IF EXISTS runs_status,
  DROP CONSTRAINT IF EXISTS runs_lease_while_running,
  DROP CONSTRAINT IF EXISTS runs_no_lease_at_rest,
  DROP CONSTRAINT IF EXISTS runs_dispatch_while_waiting,
  DROP CONSTRAINT IF EXISTS runs_completed_at_when_terminal,
  DROP CONSTRAINT IF EXISTS runs_result_when_completed,
  DROP CONSTRAINT IF EXISTS runs_error_when_failed,
  DROP CONSTRAINT IF EXISTS runs_dead_letter_opt_out,
  DROP CONSTRAINT runs_budget;
ALTER TABLE runs ADD CONSTRAINT runs_budget CHECK (max_attempts BETWEEN 1 AND 1001 AND 0 <=
  LEAST(attempt, max_attempts - attempt, crash_count, epoch, dispatch_no, retry_delay_ms, timeout_ms - 1));
ALTER TABLE runs ADD CONSTRAINT runs_state CHECK (
  status || ':' || (num_nonnulls(dispatch_after) + 2 * num_nonnulls(lease_owner, lease_expires_at, deadline_at)
    + 8 * num_nonnulls(completed_at) + 16 * num_nonnulls(result, result_ref))
  = ANY ('{pending:1,queued:1,running:6,paused:0,completed:8,completed:24,cancelled:8,failed:8,timed_out:8,dead_lettered:8}')
  AND (error IS NOT NULL OR status <> ALL ('{failed,timed_out,dead_lettered}'))
  AND (dead_letter OR status <> 'dead_lettered'));

-- By the constraint above exactly the terminal states have completed_at. AFTER, because a BEFORE trigger locks every row a
-- second time: a fifth of what a transition costs.
DROP TRIGGER runs_terminal_is_absorbing ON runs;
CREATE TRIGGER runs_terminal_is_absorbing AFTER UPDATE ON runs FOR EACH ROW
  WHEN (NEW.epoch < OLD.epoch OR OLD.completed_at IS NOT NULL)
  EXECUTE FUNCTION spine_refuse_run_update();

-- By lane first: a lane that is paused or that nobody serves must not be walked through on behalf of the others.
DROP INDEX runs_dispatch;
CREATE INDEX runs_dispatch ON runs (lane, dispatch_after) WHERE status IN ('pending', 'queued');

CREATE INDEX runs_expiry ON runs ((LEAST(CASE WHEN started_at IS NULL THEN expires_at END, run_deadline_at)))
  WHERE status IN ('pending', 'queued', 'paused')
    AND LEAST(CASE WHEN started_at IS NULL THEN expires_at END, run_deadline_at) IS NOT NULL;

-- A run that has started is the active one until it ends, also while it waits for its next attempt.
CREATE UNIQUE INDEX runs_singleton_waiting ON runs (singleton_key)
  WHERE singleton_key IS NOT NULL AND started_at IS NULL AND status IN ('pending', 'queued', 'paused');
CREATE UNIQUE INDEX runs_singleton_active ON runs (singleton_key)
  WHERE singleton_key IS NOT NULL AND started_at IS NOT NULL AND status IN ('pending', 'queued', 'paused', 'running');

-- What an operator has said about a lane; a lane without a row runs.
CREATE TABLE lanes (
  lane       text        PRIMARY KEY,
  paused_at  timestamptz,
  paused_by  text,
  note       text,
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT lanes_paused CHECK ((paused_at IS NULL) = (paused_by IS NULL))
);
GRANT SELECT, INSERT, UPDATE ON lanes TO spine_app;
