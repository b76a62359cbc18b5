-- Partitions that were expected and had not come by their time, and what became of them.

CREATE TABLE late_partitions (
  domain        text        NOT NULL,
  workflow      text        NOT NULL,
  partition_key text        NOT NULL,
  expected_at   timestamptz NOT NULL,
  anomaly_id    uuid        NOT NULL,
  detected_at   timestamptz NOT NULL DEFAULT now(),
  -- Null while it has not come.
  arrived_at    timestamptz,
  PRIMARY KEY (domain, workflow, partition_key),
  CONSTRAINT late_partitions_times CHECK (detected_at >= expected_at AND arrived_at >= detected_at)
);
CREATE INDEX late_partitions_open ON late_partitions (domain, workflow, partition_key) WHERE arrived_at IS NULL;

GRANT SELECT, INSERT, UPDATE (arrived_at) ON late_partitions TO spine_app;
