-- The first two tables of the data ledger: where a partition stands, and which rows were refused.

CREATE TABLE manifest (
  domain        text        NOT NULL,
  -- Canonical JSON, so that one partition has one spelling.
  partition_key text        NOT NULL,
  stage         text        NOT NULL,
  stage_rank    integer     NOT NULL,
  row_count     bigint,
  metrics       jsonb       NOT NULL DEFAULT '{}',
  run_id        uuid        NOT NULL,
  batch_id      text,
  updated_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (domain, partition_key, stage),
  CONSTRAINT manifest_counts CHECK (stage_rank >= 0 AND row_count >= 0)
);

CREATE TABLE rejects (
  reject_id      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  domain         text        NOT NULL,
  partition_key  text        NOT NULL,
  stage          text        NOT NULL,
  reason_code    text        NOT NULL,
  reason_detail  text        NOT NULL,
  -- The row as it stood in the source.
  raw            text        NOT NULL,
  source_locator text        NOT NULL,
  line_number    bigint,
  record_hash    text        NOT NULL,
  run_id         uuid        NOT NULL,
  batch_id       text,
  created_at     timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT rejects_line CHECK (line_number > 0),
  CONSTRAINT rejects_reason CHECK (reason_code ~ '^[A-Z][A-Z0-9_]*$')
);
-- The same row of the same source refused again for the same reason is the same reject.
CREATE UNIQUE INDEX rejects_once ON rejects (domain, partition_key, stage, source_locator, line_number, record_hash, reason_code)
  NULLS NOT DISTINCT;
CREATE INDEX rejects_run ON rejects (run_id);

GRANT SELECT, INSERT, UPDATE ON manifest TO spine_app;
-- Rejects are evidence: appended, never changed, never deleted.
GRANT SELECT, INSERT ON rejects TO spine_app;
