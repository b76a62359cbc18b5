-- Payloads that are too large for their run's row, the log lines of handlers, and events in the order they were made.

-- A payload is written before the row that names it (`params_ref`, `result_ref`) commits. One that no row names is
-- garbage and does no harm: a sweep removes it.
CREATE TABLE run_payloads (
  run_id     uuid        NOT NULL,
  -- A result's slot carries the epoch of its attempt, so that a late attempt overwrites nothing.
  slot       text        NOT NULL,
  -- JSON text: what jsonb would do to it is not wanted here.
  content    text        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run_id, slot),
  CONSTRAINT run_payloads_slot CHECK (slot ~ '^(params|result:[0-9]{1,15})$')
);

CREATE TABLE run_logs (
  run_id    uuid        NOT NULL,
  log_id    bigint      GENERATED ALWAYS AS IDENTITY,
  epoch     bigint      NOT NULL,
  attempt   integer     NOT NULL,
  -- pino's numbers: 10 trace to 60 fatal.
  level     smallint    NOT NULL,
  message   text        NOT NULL,
  fields    jsonb,
  -- When the handler said it, by its worker's clock.
  timestamp timestamptz NOT NULL,
  PRIMARY KEY (run_id, log_id),
  CONSTRAINT run_logs_level CHECK (level BETWEEN 1 AND 100)
);

-- For reading what is new. Events are stored in about the order of their ids, so that the smallest and largest id of
-- each stretch of the table say enough; a tree would be written to by every transition.
CREATE INDEX run_events_recent ON run_events USING brin (event_id) WITH (pages_per_range = 32, autosummarize = on);

GRANT SELECT, INSERT, UPDATE, DELETE ON run_payloads TO spine_app;
GRANT SELECT, INSERT ON run_logs TO spine_app;
-- How far ids have been given out.
GRANT SELECT ON SEQUENCE run_events_event_id_seq TO spine_app;
