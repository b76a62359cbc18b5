-- What a run is asked to do is checked when it is stored and does not change after; what its transitions change is checked by
-- each of them. Postgres parses every CHECK of a table anew for every statement that writes to it: they were a third of what a
-- statement for a single run costs.

ALTER TABLE runs
  DROP CONSTRAINT runs_kind,
  DROP CONSTRAINT runs_priority,
  DROP CONSTRAINT runs_key_has_hash,
  DROP CONSTRAINT runs_trace_context,
  DROP CONSTRAINT runs_budget,
  DROP CONSTRAINT runs_finished_epoch,
  DROP CONSTRAINT runs_state;

-- The rows there are have obeyed the same: they are not read again, for the table may be large.
-- Integers alone, so that nothing is cast. That an epoch never falls is a trigger's business.
ALTER TABLE runs ADD CONSTRAINT runs_budget CHECK
  (0 <= LEAST(attempt, max_attempts - attempt, crash_count, dispatch_no)) NOT VALID;
ALTER TABLE runs ADD CONSTRAINT runs_finished_epoch CHECK (finished_epoch <= epoch) NOT VALID;
-- As a sum: 1 due for a hint, 2 for each part of a lease, 8 over, 16 for a result in the row or elsewhere; and 100, so that no
-- status can lend it a digit. The sum is cast, because text || integer is a function in SQL, which the planner parses and inlines
-- each time.
ALTER TABLE runs ADD CONSTRAINT runs_state CHECK (
  status || (100 + num_nonnulls(dispatch_after) + 2 * num_nonnulls(lease_owner, lease_expires_at, deadline_at)
    + 8 * num_nonnulls(completed_at) + 16 * num_nonnulls(result, result_ref))::text
  = ANY ('{pending101,queued101,running106,paused100,completed108,completed124,cancelled108,failed108,timed_out108,dead_lettered108}')
  AND (error IS NOT NULL OR status <> ALL ('{failed,timed_out,dead_lettered}'))
  AND (dead_letter OR status <> 'dead_lettered')) NOT VALID;

CREATE FUNCTION spine_refuse_new_run() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  broken text := CASE
    WHEN NEW.kind NOT IN ('task', 'operation', 'workflow', 'step') THEN 'runs_kind'
    WHEN NEW.priority NOT BETWEEN 0 AND 4 THEN 'runs_priority'
    WHEN (NEW.idempotency_key IS NULL) <> (NEW.spec_hash IS NULL) THEN 'runs_key_has_hash'
    WHEN NEW.trace_context !~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' THEN 'runs_trace_context'
    ELSE 'runs_budget'
  END;
BEGIN
  RAISE EXCEPTION 'new row for relation "runs" violates check "%"', broken
    USING ERRCODE = 'check_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, CONSTRAINT = broken;
END
$$;
CREATE TRIGGER runs_new_is_lawful BEFORE INSERT ON runs FOR EACH ROW
  WHEN (NOT (NEW.kind IN ('task', 'operation', 'workflow', 'step')
    AND NEW.priority BETWEEN 0 AND 4
    AND NEW.max_attempts BETWEEN 1 AND 1001
    AND NEW.epoch >= 0 AND NEW.retry_delay_ms >= 0 AND NEW.timeout_ms > 0
    AND (NEW.idempotency_key IS NULL) = (NEW.spec_hash IS NULL)
    AND (NEW.trace_context IS NULL OR NEW.trace_context ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$')))
  EXECUTE FUNCTION spine_refuse_new_run();

CREATE FUNCTION spine_refuse_spec_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what a run was asked to do does not change' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
-- A statement that names one of these is refused, whatever it finds. Others pay nothing for it.
CREATE TRIGGER runs_spec_is_fixed BEFORE UPDATE OF id, kind, name, lane, priority, params, params_ref, idempotency_key, spec_hash,
    correlation_id, parent_run_id, retry_of_run_id, trigger_source, metadata, tags, max_attempts, retry_delay_ms, timeout_ms,
    dead_letter, retry_policy, singleton_key, namespace, submitted_by, trace_context, created_at
  ON runs FOR EACH STATEMENT EXECUTE FUNCTION spine_refuse_spec_update();
