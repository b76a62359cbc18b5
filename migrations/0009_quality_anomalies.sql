-- Quality verdicts, anomalies, and rejects as work that can be done again.

ALTER TABLE rejects
  -- Which version of the rules refused the row; null where its writer has no versions.
  ADD COLUMN rule_version text,
  -- SHA-256 of the source the row stood in; null where there is no such thing.
  ADD COLUMN source_hash  text,
  -- When a repair closed it; null while it is open. Set by the trigger of reject_repairs alone.
  ADD COLUMN closed_at    timestamptz,
  -- Not a pattern: 64 counted characters take 15 us to match. decode refuses what is not hexadecimal, and the way back what
  -- is upper case.
  ADD CONSTRAINT rejects_source_hash CHECK (
    octet_length(source_hash) = 64 AND encode(decode(source_hash, 'hex'), 'hex') = source_hash);

DROP INDEX rejects_run;
CREATE INDEX rejects_run ON rejects (run_id, reject_id);
CREATE INDEX rejects_domain ON rejects (domain, reject_id);
CREATE INDEX rejects_stage ON rejects (domain, stage, reject_id);
CREATE INDEX rejects_reason ON rejects (domain, reason_code, reject_id);
CREATE INDEX rejects_partition ON rejects (domain, partition_key, reject_id);
CREATE INDEX rejects_open_stage ON rejects (domain, stage, reject_id) WHERE closed_at IS NULL;
CREATE INDEX rejects_open_reason ON rejects (domain, reason_code, reject_id) WHERE closed_at IS NULL;

-- What a run that judged a reject again found out. A run judges a reject once.
CREATE TABLE reject_repairs (
  reject_id     bigint      NOT NULL,
  run_id        uuid        NOT NULL,
  outcome       text        NOT NULL,
  rule_version  text        NOT NULL,
  -- Of a row that is refused still.
  reason_code   text,
  reason_detail text,
  created_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (reject_id, run_id),
  CONSTRAINT reject_repairs_outcome CHECK (outcome IN ('repaired', 'still_rejected', 'superseded')),
  CONSTRAINT reject_repairs_reason CHECK (num_nonnulls(reason_code, reason_detail)
    = CASE outcome WHEN 'still_rejected' THEN 2 ELSE 0 END),
  CONSTRAINT reject_repairs_code CHECK (reason_code ~ '^[A-Z][A-Z0-9_]*$')
);
-- Independent proof that no reject is closed twice: the trigger decides, this refuses what it would miss.
CREATE UNIQUE INDEX reject_repairs_one_end ON reject_repairs (reject_id) WHERE outcome <> 'still_rejected';
CREATE INDEX reject_repairs_run ON reject_repairs (run_id, reject_id);

CREATE FUNCTION spine_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER reject_repairs_append_only BEFORE UPDATE OR DELETE ON reject_repairs FOR EACH ROW
  EXECUTE FUNCTION spine_refuse_change();

CREATE FUNCTION spine_refuse_reject_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL THEN
    OLD.closed_at := NEW.closed_at;
    IF OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
  END IF;
  RAISE EXCEPTION 'reject % may be closed once and not be changed', OLD.reject_id
    USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER rejects_only_close AFTER UPDATE ON rejects FOR EACH ROW EXECUTE FUNCTION spine_refuse_reject_update();
CREATE TRIGGER rejects_stay BEFORE DELETE ON rejects FOR EACH ROW EXECUTE FUNCTION spine_refuse_change();

-- Whoever adds a repair closes its reject with it: no statement that could be forgotten, and the services' role may not
-- update a reject. A repair of a reject that is closed, or does not exist, is refused with its whole statement.
CREATE FUNCTION spine_close_rejects() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- Found by key, whatever the statistics say.
SET enable_seqscan = off
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  judged bigint[] := ARRAY(SELECT a.reject_id FROM added a ORDER BY 1);
  ended bigint[] := ARRAY(SELECT a.reject_id FROM added a WHERE a.outcome <> 'still_rejected' ORDER BY 1);
  closed bigint;
BEGIN
  IF (SELECT count(*) FROM public.rejects r WHERE r.reject_id = ANY (judged) AND r.closed_at IS NULL)
    <> cardinality(judged) THEN
    RAISE EXCEPTION 'a repair is of an open reject' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  UPDATE public.rejects r SET closed_at = now() WHERE r.reject_id = ANY (ended) AND r.closed_at IS NULL;
  GET DIAGNOSTICS closed = ROW_COUNT;
  IF closed <> cardinality(ended) THEN
    RAISE EXCEPTION 'a reject is closed once' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION spine_close_rejects() FROM PUBLIC;
CREATE TRIGGER reject_repairs_close AFTER INSERT ON reject_repairs REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION spine_close_rejects();

CREATE TABLE quality_results (
  -- UUID v7: newest last, and a window of time is a range of ids.
  id             uuid        PRIMARY KEY,
  domain         text        NOT NULL,
  partition_key  text        NOT NULL,
  stage          text,
  check_name     text        NOT NULL,
  category       text        NOT NULL,
  status         text        NOT NULL,
  message        text        NOT NULL,
  -- As text: a decimal is kept digit by digit.
  actual_value   text,
  expected_value text,
  run_id         uuid        NOT NULL,
  batch_id       text,
  created_at     timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT quality_results_check CHECK (check_name ~ '^[a-z][a-z0-9_.]{0,99}$'),
  CONSTRAINT quality_results_category CHECK (category IN ('INTEGRITY', 'COMPLETENESS', 'BUSINESS_RULE')),
  CONSTRAINT quality_results_status CHECK (status IN ('PASS', 'WARN', 'FAIL'))
);
CREATE INDEX quality_results_domain ON quality_results (domain, id);
CREATE INDEX quality_results_partition ON quality_results (domain, partition_key, id);
CREATE INDEX quality_results_by_check ON quality_results (domain, check_name, id);
CREATE INDEX quality_results_by_status ON quality_results (status, id);
CREATE INDEX quality_results_run ON quality_results (run_id, id);
CREATE TRIGGER quality_results_append_only BEFORE UPDATE ON quality_results FOR EACH ROW
  EXECUTE FUNCTION spine_refuse_change();

CREATE TABLE anomalies (
  id              uuid        PRIMARY KEY,
  domain          text        NOT NULL,
  stage           text,
  -- Null: it is about the domain as a whole.
  partition_key   text,
  severity        text        NOT NULL,
  category        text        NOT NULL,
  message         text        NOT NULL,
  metadata        jsonb       NOT NULL DEFAULT '{}',
  -- Null: no run met it.
  run_id          uuid,
  batch_id        text,
  created_at      timestamptz NOT NULL DEFAULT now(),
  resolved_at     timestamptz,
  resolved_by     text,
  resolution_note text,
  CONSTRAINT anomalies_severity CHECK (severity IN ('DEBUG', 'INFO', 'WARN', 'ERROR', 'CRITICAL')),
  CONSTRAINT anomalies_category CHECK (category IN ('QUALITY_GATE', 'NETWORK', 'DATA_QUALITY', 'STEP_FAILURE',
    'WORKFLOW_FAILURE', 'CONFIGURATION', 'SOURCE_ERROR', 'TIMEOUT', 'RESOURCE', 'UNKNOWN')),
  CONSTRAINT anomalies_resolved CHECK ((resolved_at IS NULL) = (resolved_by IS NULL)
    AND (resolution_note IS NULL OR resolved_at IS NOT NULL))
);
CREATE INDEX anomalies_domain ON anomalies (domain, id);
CREATE INDEX anomalies_partition ON anomalies (domain, partition_key, id);
CREATE INDEX anomalies_by_severity ON anomalies (severity, id);
CREATE INDEX anomalies_by_category ON anomalies (category, id);
CREATE INDEX anomalies_run ON anomalies (run_id, id);
CREATE INDEX anomalies_open ON anomalies (id) WHERE resolved_at IS NULL;
CREATE INDEX anomalies_open_domain ON anomalies (domain, id) WHERE resolved_at IS NULL;
CREATE INDEX anomalies_open_critical ON anomalies (domain, partition_key)
  WHERE resolved_at IS NULL AND severity = 'CRITICAL';

CREATE FUNCTION spine_refuse_anomaly_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.resolved_at IS NULL AND NEW.resolved_at IS NOT NULL THEN
    OLD.resolved_at := NEW.resolved_at;
    OLD.resolved_by := NEW.resolved_by;
    OLD.resolution_note := NEW.resolution_note;
    IF OLD IS NOT DISTINCT FROM NEW THEN RETURN NULL; END IF;
  END IF;
  RAISE EXCEPTION 'anomaly % may be resolved once and not be changed', OLD.id
    USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER anomalies_only_resolve AFTER UPDATE ON anomalies FOR EACH ROW
  EXECUTE FUNCTION spine_refuse_anomaly_update();
CREATE TRIGGER anomalies_stay BEFORE DELETE ON anomalies FOR EACH ROW EXECUTE FUNCTION spine_refuse_change();

CREATE INDEX manifest_stage ON manifest (domain, stage, partition_key);

-- Evidence: appended, never changed, never deleted. Of an anomaly its resolution is added, once.
GRANT SELECT, INSERT ON reject_repairs, quality_results, anomalies TO spine_app;
GRANT UPDATE (resolved_at, resolved_by, resolution_note) ON anomalies TO spine_app;
