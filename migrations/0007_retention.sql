-- Deleting what is old: finished runs with what belongs to them, and resolved dead letters. The services' role may delete
-- neither by itself; it may call the two functions below, which delete nothing that is not finished and a day old.

-- Whether a run has been retried already.
CREATE INDEX runs_retried ON runs (retry_of_run_id) WHERE retry_of_run_id IS NOT NULL;

-- What the statistics of dead letters count, so that counting reads no letter.
CREATE INDEX dead_letters_open ON dead_letters (kind, name, error_category, created_at) WHERE resolved_at IS NULL;
CREATE INDEX dead_letters_closed ON dead_letters (resolved_at) INCLUDE (kind, name, error_category, resolution)
  WHERE resolved_at IS NOT NULL;

-- The smallest id of a run made at that instant. Ids are ordered by time, so a window of time is a range of the primary
-- key and needs no index of its own.
CREATE FUNCTION spine_run_id_at(instant timestamptz) RETURNS uuid
  LANGUAGE sql STABLE STRICT PARALLEL SAFE
  RETURN (lpad(to_hex(GREATEST(0, floor(extract(epoch FROM instant) * 1000))::bigint), 12, '0') || repeat('0', 20))::uuid;

-- Deletes, of the next `batch` runs by id after `after_id`, those that ended more than `period` ago, with their events,
-- log lines and payloads, and with their dead letter when it was resolved more than `period` ago. A run whose dead letter
-- is pending, or was resolved since, stays.
--
-- 1. It never waits and nobody waits for it: only runs that are over are locked, which no other statement changes, and
--    those that another call holds are left to it.
-- 2. Its cost is that of one batch, whatever stays: `last_id` says where the next call continues. Null says that there
--    is nothing further.
CREATE FUNCTION spine_purge_runs(period interval, after_id uuid, batch integer)
RETURNS TABLE (last_id uuid, deleted_runs bigint, deleted_events bigint, deleted_logs bigint, deleted_payloads bigint,
  deleted_dead_letters bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- Each batch is found by key, whatever the statistics of a table that is losing its rows say.
SET enable_seqscan = off
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  cutoff timestamptz := now() - period;
  slice uuid[];
  doomed uuid[];
BEGIN
  IF period IS NULL OR period < interval '1 day' THEN
    RAISE EXCEPTION 'period: given %; allowed: one day or more', period USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF batch IS NULL OR batch NOT BETWEEN 1 AND 5000 THEN
    RAISE EXCEPTION 'batch: given %; allowed: 1 to 5000', batch USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- A submitter's clock, which makes the id, may be ahead of this one, which decides.
  SELECT array_agg(s.id ORDER BY s.id) INTO slice FROM (
    SELECT r.id FROM public.runs r
    WHERE r.id > after_id AND r.id < public.spine_run_id_at(cutoff + interval '10 minutes')
    ORDER BY r.id LIMIT batch
  ) s;
  SELECT array_agg(d.id) INTO doomed FROM (
    SELECT r.id FROM public.runs r
    WHERE r.id = ANY (slice) AND r.completed_at < cutoff AND NOT EXISTS (
      SELECT 1 FROM public.dead_letters l
      WHERE l.run_id = r.id AND (l.resolved_at IS NULL OR l.resolved_at >= cutoff))
    FOR UPDATE OF r SKIP LOCKED
  ) d;
  DELETE FROM public.run_events e WHERE e.run_id = ANY (doomed);
  GET DIAGNOSTICS deleted_events = ROW_COUNT;
  DELETE FROM public.run_logs g WHERE g.run_id = ANY (doomed);
  GET DIAGNOSTICS deleted_logs = ROW_COUNT;
  DELETE FROM public.run_payloads p WHERE p.run_id = ANY (doomed);
  GET DIAGNOSTICS deleted_payloads = ROW_COUNT;
  DELETE FROM public.dead_letters l WHERE l.run_id = ANY (doomed);
  GET DIAGNOSTICS deleted_dead_letters = ROW_COUNT;
  DELETE FROM public.runs r WHERE r.id = ANY (doomed);
  GET DIAGNOSTICS deleted_runs = ROW_COUNT;
  last_id := CASE WHEN cardinality(slice) = batch THEN slice[batch] END;
  RETURN NEXT;
END
$$;

-- Deletes up to `batch` dead letters that were resolved more than `period` ago. Their runs stay.
CREATE FUNCTION spine_purge_dead_letters(period interval, batch integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
  deleted bigint;
BEGIN
  IF period IS NULL OR period < interval '1 day' THEN
    RAISE EXCEPTION 'period: given %; allowed: one day or more', period USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF batch IS NULL OR batch NOT BETWEEN 1 AND 5000 THEN
    RAISE EXCEPTION 'batch: given %; allowed: 1 to 5000', batch USING ERRCODE = 'invalid_parameter_value';
  END IF;
  DELETE FROM public.dead_letters WHERE id = ANY (ARRAY(
    SELECT id FROM public.dead_letters WHERE resolved_at < now() - period
    ORDER BY resolved_at LIMIT batch FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS deleted = ROW_COUNT;
  RETURN deleted;
END
$$;

REVOKE ALL ON FUNCTION spine_purge_runs(interval, uuid, integer), spine_purge_dead_letters(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spine_purge_runs(interval, uuid, integer), spine_purge_dead_letters(interval, integer) TO spine_app;
