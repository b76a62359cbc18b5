-- Assets: what the data is called, who wrote it from what, and who looked at it. Facts on two time axes. Deleting what
-- is old of both.

-- Trusted since Postgres 13 and part of its contrib package: whoever may create in the database may create it.
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE assets (
  -- 'sec/filings/10-K'. In byte order a prefix is a range of the key.
  asset_key       text        COLLATE "C" PRIMARY KEY,
  domain          text        NOT NULL,
  description     text,
  -- Freshness policy: the oldest the newest materialization may be. Null: it is never stale.
  max_lag_seconds bigint,
  metadata        jsonb       NOT NULL DEFAULT '{}',
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT assets_key CHECK (char_length(asset_key) <= 200
    AND asset_key ~ '^[A-Za-z0-9][A-Za-z0-9_.:=-]{0,99}(/[A-Za-z0-9][A-Za-z0-9_.:=-]{0,99}){0,11}$'),
  CONSTRAINT assets_max_lag CHECK (max_lag_seconds > 0)
);

CREATE TABLE asset_materializations (
  materialization_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  asset_key          text        COLLATE "C" NOT NULL REFERENCES assets,
  domain             text        NOT NULL,
  -- Canonical JSON; '{}' for an asset that has no partitions.
  partition_key      text        NOT NULL,
  run_id             uuid        NOT NULL,
  batch_id           text,
  code_version       text,
  -- Two materializations of one partition with the same data version hold the same data.
  data_version       text        NOT NULL,
  row_count          bigint,
  metadata           jsonb       NOT NULL DEFAULT '{}',
  materialized_at    timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT asset_materializations_rows CHECK (row_count >= 0)
);
-- What a run says again is the same materialization.
CREATE UNIQUE INDEX asset_materializations_once ON asset_materializations (run_id, asset_key, partition_key, data_version);
CREATE INDEX asset_materializations_partition ON asset_materializations (asset_key, partition_key, materialization_id);
CREATE INDEX asset_materializations_asset ON asset_materializations (asset_key, materialization_id);

-- What a materialization was made from, in the version that it read.
CREATE TABLE asset_lineage (
  materialization_id     bigint NOT NULL REFERENCES asset_materializations,
  upstream_asset_key     text   COLLATE "C" NOT NULL,
  upstream_partition_key text   NOT NULL,
  upstream_data_version  text   NOT NULL,
  -- Null: a source that nobody here materializes.
  upstream_id            bigint REFERENCES asset_materializations (materialization_id),
  PRIMARY KEY (materialization_id, upstream_asset_key, upstream_partition_key),
  -- What was read was there before what was written: no chain of materializations comes back to its beginning.
  CONSTRAINT asset_lineage_order CHECK (upstream_id < materialization_id)
);
CREATE INDEX asset_lineage_downstream ON asset_lineage (upstream_id) WHERE upstream_id IS NOT NULL;

-- Which asset has ever been made from which: the lineage of assets, one row however many partitions there are.
CREATE TABLE asset_dependencies (
  asset_key          text        COLLATE "C" NOT NULL REFERENCES assets,
  upstream_asset_key text        COLLATE "C" NOT NULL,
  first_seen_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (asset_key, upstream_asset_key)
);
CREATE INDEX asset_dependencies_downstream ON asset_dependencies (upstream_asset_key, asset_key);

CREATE TABLE asset_observations (
  observation_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  asset_key      text        COLLATE "C" NOT NULL REFERENCES assets,
  domain         text        NOT NULL,
  partition_key  text        NOT NULL,
  -- Null: looked at by a person or a program outside.
  run_id         uuid,
  batch_id       text,
  observed_by    text        NOT NULL,
  data_version   text,
  row_count      bigint,
  metadata       jsonb       NOT NULL DEFAULT '{}',
  observed_at    timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT asset_observations_rows CHECK (row_count >= 0)
);
CREATE INDEX asset_observations_asset ON asset_observations (asset_key, observation_id);

GRANT SELECT, INSERT ON assets TO spine_app;
GRANT UPDATE (domain, description, max_lag_seconds, metadata, updated_at) ON assets TO spine_app;
-- Evidence: appended, never changed.
GRANT SELECT, INSERT ON asset_materializations, asset_lineage, asset_dependencies, asset_observations TO spine_app;

-- The head of a fact's history: the row that those who supersede it line up for, and its clock.
CREATE TABLE bitemporal_keys (
  domain    text        COLLATE "C" NOT NULL,
  fact_key  text        COLLATE "C" NOT NULL,
  -- How often what is known of the key has changed.
  version   bigint      NOT NULL DEFAULT 0,
  -- System time of the last change. Whole milliseconds, and never twice the same.
  system_at timestamptz NOT NULL,
  PRIMARY KEY (domain, fact_key),
  CONSTRAINT bitemporal_keys_length CHECK (char_length(domain) BETWEEN 1 AND 200 AND char_length(fact_key) BETWEEN 1 AND 500),
  CONSTRAINT bitemporal_keys_version CHECK (version >= 0)
);

CREATE FUNCTION spine_refuse_clock_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the system time of fact % of % may not go from % to %', OLD.fact_key, OLD.domain, OLD.system_at, NEW.system_at
    USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER bitemporal_keys_forward BEFORE UPDATE ON bitemporal_keys FOR EACH ROW
  WHEN (NEW.version < OLD.version OR NEW.system_at < OLD.system_at
    OR (NEW.version > OLD.version AND NEW.system_at = OLD.system_at))
  EXECUTE FUNCTION spine_refuse_clock_back();

-- What was believed when (system axis) about when (valid axis). Both intervals are half open; null is without end.
CREATE TABLE bitemporal_facts (
  fact_id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  domain       text        COLLATE "C" NOT NULL,
  fact_key     text        COLLATE "C" NOT NULL,
  version      bigint      NOT NULL,
  valid_from   timestamptz NOT NULL,
  valid_to     timestamptz,
  system_from  timestamptz NOT NULL,
  system_to    timestamptz,
  value        jsonb       NOT NULL,
  value_hash   text        NOT NULL,
  -- The four clocks of the envelope it came in are event_time, publish_time, ingest_time, and valid_from for effective.
  source_hash  text,
  event_time   timestamptz,
  publish_time timestamptz,
  ingest_time  timestamptz NOT NULL,
  run_id       uuid        NOT NULL,
  batch_id     text,
  capture_id   text,
  FOREIGN KEY (domain, fact_key) REFERENCES bitemporal_keys,
  CONSTRAINT bitemporal_facts_valid CHECK (valid_from < valid_to AND isfinite(valid_from) AND isfinite(valid_to)),
  CONSTRAINT bitemporal_facts_system CHECK (system_from < system_to AND isfinite(system_from) AND isfinite(system_to)),
  CONSTRAINT bitemporal_facts_version CHECK (version > 0),
  CONSTRAINT bitemporal_facts_hashes CHECK (
    octet_length(value_hash) = 64 AND encode(decode(value_hash, 'hex'), 'hex') = value_hash
    AND octet_length(source_hash) = 64 AND encode(decode(source_hash, 'hex'), 'hex') = source_hash),
  -- At one point of both axes at most one thing is believed of a key. Also what finds it.
  CONSTRAINT bitemporal_facts_one_belief EXCLUDE USING gist (
    domain WITH =, fact_key WITH =, tstzrange(valid_from, valid_to) WITH &&, tstzrange(system_from, system_to) WITH &&)
);
-- What is believed now.
CREATE INDEX bitemporal_facts_current ON bitemporal_facts (domain, fact_key, valid_from) WHERE system_to IS NULL;
CREATE INDEX bitemporal_facts_history ON bitemporal_facts (domain, fact_key, fact_id);

CREATE FUNCTION spine_refuse_fact_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'fact % may only be closed, once', OLD.fact_id USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER bitemporal_facts_append_only BEFORE UPDATE ON bitemporal_facts FOR EACH ROW
  WHEN (OLD.system_to IS NOT NULL OR NEW.system_to IS NULL
    OR (to_jsonb(NEW) - 'system_to') <> (to_jsonb(OLD) - 'system_to'))
  EXECUTE FUNCTION spine_refuse_fact_update();

GRANT SELECT, INSERT ON bitemporal_keys, bitemporal_facts TO spine_app;
GRANT UPDATE (version, system_at) ON bitemporal_keys TO spine_app;
GRANT UPDATE (system_to) ON bitemporal_facts TO spine_app;

CREATE INDEX asset_materializations_age ON asset_materializations (materialized_at);
CREATE INDEX asset_observations_age ON asset_observations (observed_at);

-- Deletes up to `batch` rows of a table of the ledger that are older than `period`. The services' role may not delete by
-- itself; the table and its minimum are decided here, whoever calls.
--
-- 1. It never waits: rows that others hold are left to the next call.
-- 2. Of materializations those stay, however old, that are the newest of their partition or that another one was made from.
--    They are gone through once: `last_id` says where the next call continues, null that there is nothing further.
CREATE FUNCTION spine_purge_ledger(ledger_table text, period interval, after_id bigint, batch integer)
RETURNS TABLE (last_id bigint, deleted bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- Each batch is found by key, whatever the statistics of a table that is losing its rows say.
SET enable_seqscan = off
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  cutoff timestamptz := now() - period;
  minimum integer := CASE ledger_table
    WHEN 'quality_results' THEN 2192
    WHEN 'asset_materializations' THEN 2192
    WHEN 'asset_observations' THEN 180
    WHEN 'work_items' THEN 30
  END;
  slice bigint[];
  doomed bigint[];
  old boolean;
BEGIN
  IF minimum IS NULL THEN
    RAISE EXCEPTION 'ledger_table: % is not a table that old rows are deleted from', ledger_table
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF period IS NULL OR period < minimum * interval '1 day' THEN
    RAISE EXCEPTION 'period: given %; allowed for %: % days or more', period, ledger_table, minimum
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF batch IS NULL OR batch NOT BETWEEN 1 AND 5000 THEN
    RAISE EXCEPTION 'batch: given %; allowed: 1 to 5000', batch USING ERRCODE = 'invalid_parameter_value';
  END IF;
  CASE ledger_table
    WHEN 'quality_results' THEN
      -- Ids are ordered by time; the clock that made them may be ahead of this one.
      DELETE FROM public.quality_results WHERE id = ANY (ARRAY(
        SELECT q.id FROM public.quality_results q
        WHERE q.id < public.spine_run_id_at(cutoff + interval '10 minutes') AND q.created_at < cutoff
        ORDER BY q.id LIMIT batch FOR UPDATE SKIP LOCKED));
      GET DIAGNOSTICS deleted = ROW_COUNT;
    WHEN 'asset_observations' THEN
      DELETE FROM public.asset_observations WHERE observation_id = ANY (ARRAY(
        SELECT o.observation_id FROM public.asset_observations o WHERE o.observed_at < cutoff
        ORDER BY o.observed_at LIMIT batch FOR UPDATE SKIP LOCKED));
      GET DIAGNOSTICS deleted = ROW_COUNT;
    WHEN 'work_items' THEN
      DELETE FROM public.work_items WHERE id = ANY (ARRAY(
        SELECT w.id FROM public.work_items w
        WHERE w.state = ANY (ARRAY['COMPLETE', 'FAILED', 'CANCELLED']) AND w.completed_at < cutoff
          AND w.id < public.spine_run_id_at(cutoff + interval '10 minutes')
        LIMIT batch FOR UPDATE SKIP LOCKED));
      GET DIAGNOSTICS deleted = ROW_COUNT;
    WHEN 'asset_materializations' THEN
      SELECT array_agg(s.materialization_id ORDER BY s.materialization_id) INTO slice FROM (
        SELECT m.materialization_id FROM public.asset_materializations m WHERE m.materialization_id > COALESCE(after_id, 0)
        ORDER BY m.materialization_id LIMIT batch
      ) s;
      -- Ids are ordered by time, up to how long a transaction that took one was open.
      old := EXISTS (SELECT 1 FROM public.asset_materializations m
        WHERE m.materialization_id = ANY (slice) AND m.materialized_at < cutoff + interval '1 day');
      SELECT array_agg(d.materialization_id) INTO doomed FROM (
        SELECT m.materialization_id FROM public.asset_materializations m
        WHERE m.materialization_id = ANY (slice) AND m.materialized_at < cutoff
          -- Asked row by row, by key: a join might read the whole table.
          AND m.materialization_id < (SELECT max(n.materialization_id) FROM public.asset_materializations n
            WHERE n.asset_key = m.asset_key AND n.partition_key = m.partition_key)
          AND (SELECT 1 FROM public.asset_lineage l WHERE l.upstream_id = m.materialization_id LIMIT 1) IS NULL
        FOR UPDATE OF m SKIP LOCKED
      ) d;
      DELETE FROM public.asset_lineage l WHERE l.materialization_id = ANY (doomed);
      DELETE FROM public.asset_materializations m WHERE m.materialization_id = ANY (doomed);
      GET DIAGNOSTICS deleted = ROW_COUNT;
      last_id := CASE WHEN cardinality(slice) = batch AND old THEN slice[batch] END;
  END CASE;
  IF ledger_table <> 'asset_materializations' AND deleted = batch THEN
    last_id := 0;
  END IF;
  RETURN NEXT;
END
$$;
REVOKE ALL ON FUNCTION spine_purge_ledger(text, interval, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spine_purge_ledger(text, interval, bigint, integer) TO spine_app;
