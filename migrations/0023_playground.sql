-- Playground sessions: a workflow that is gone through by hand, over HTTP. See docs/playground.md.
--
-- A table of at most a few hundred rows: creating one removes what has expired and is refused above the limit, so that no
-- query needs another index than the key.
CREATE TABLE playground_sessions (
  session_id       uuid        PRIMARY KEY,
  created_by       text        NOT NULL,
  workflow_name    text        NOT NULL,
  -- Null for a definition that was given with the session.
  workflow_version integer,
  mode             text        NOT NULL,
  -- Whose recorded answers are given.
  source_run_id    uuid,
  -- json, not jsonb: a session is rebuilt from exactly what was written, the order of keys included.
  setup            json        NOT NULL,
  answers          json        NOT NULL,
  moves            json        NOT NULL,
  -- SHA-256 of the moment that the moves lead to: rebuilding ends there, or is refused.
  state_hash       text        NOT NULL,
  status           text        NOT NULL,
  step_count       integer     NOT NULL DEFAULT 0,
  revision         integer     NOT NULL DEFAULT 1,
  ttl_seconds      integer     NOT NULL,
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now(),
  expires_at       timestamptz NOT NULL,
  CONSTRAINT playground_sessions_mode CHECK (mode IN ('stub', 'recorded', 'live')),
  CONSTRAINT playground_sessions_source CHECK ((mode = 'recorded') = (source_run_id IS NOT NULL)),
  CONSTRAINT playground_sessions_status CHECK
    (status IN ('running', 'completed', 'failed', 'timed_out', 'cancelled', 'continued')),
  CONSTRAINT playground_sessions_hash CHECK (state_hash ~ '^[0-9a-f]{64}$'),
  CONSTRAINT playground_sessions_counts CHECK
    (step_count >= 0 AND revision >= 1 AND ttl_seconds >= 1 AND workflow_version >= 1),
  CONSTRAINT playground_sessions_moves CHECK
    (CASE json_typeof(moves) WHEN 'array' THEN json_array_length(moves) >= step_count ELSE false END),
  CONSTRAINT playground_sessions_expiry CHECK (expires_at > updated_at)
);

GRANT SELECT, INSERT, DELETE, UPDATE (answers, moves, state_hash, status, step_count, revision, updated_at, expires_at)
  ON playground_sessions TO spine_app;
