-- Gates: what has to be free before a run may start (places under a key, permits of a rate, a dependency's circuit
-- breaker, a singleton's turn), who holds it, and who waits for it.

-- Waiting runs with gates, for the poll: among many due runs without any they would not be found in time.
CREATE INDEX runs_gated ON runs (lane, dispatch_after) WHERE gates IS NOT NULL AND status IN ('pending', 'queued');

-- One row a key. Whoever decides about a key holds its row's lock; keys are locked in their order.
CREATE TABLE gate_states (
  gate_type  text        NOT NULL,
  key        text        NOT NULL,
  -- Places under the key, as the last run that asked for it said.
  gate_limit integer,
  -- The rate and what has been taken of it.
  rate       jsonb,
  -- Until then something of the rate is used up.
  keep_until timestamptz,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (gate_type, key),
  CONSTRAINT gate_states_type CHECK (CASE gate_type
    WHEN 'concurrency' THEN COALESCE(gate_limit > 0, false) AND num_nonnulls(rate, keep_until) = 0
    WHEN 'rate' THEN gate_limit IS NULL AND (rate IS NULL) = (keep_until IS NULL)
    WHEN 'singleton' THEN num_nonnulls(gate_limit, rate, keep_until) = 0
    ELSE false END)
) WITH (fillfactor = 70);

-- A place under a key. It counts only while its run is running at this epoch: whatever ends or takes the attempt frees
-- the place in the same commit, and no statement has to remember it. Rows that no longer count are swept.
CREATE TABLE concurrency_holds (
  key        text        NOT NULL,
  run_id     uuid        NOT NULL,
  epoch      bigint      NOT NULL,
  claimed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (key, run_id)
);

-- The lines before the gates: a run waits before one gate at a time, the first that was shut.
CREATE TABLE gate_waiters (
  run_id    uuid        PRIMARY KEY,
  gate_type text        NOT NULL,
  key       text        NOT NULL,
  priority  smallint    NOT NULL,
  since     timestamptz NOT NULL DEFAULT now(),
  -- Its turn was announced then; for a while nobody behind it may take its place.
  woken_at  timestamptz,
  CONSTRAINT gate_waiters_type CHECK (gate_type IN ('concurrency', 'rate', 'breaker', 'singleton'))
);
-- The order of a line: priority, then age, which ids carry.
CREATE INDEX gate_waiters_line ON gate_waiters (gate_type, key, priority, run_id);
CREATE INDEX gate_waiters_woken ON gate_waiters (gate_type, key, woken_at) WHERE woken_at IS NOT NULL;

-- What all workers know of a dependency; one without a row is closed, which means that calls pass.
CREATE TABLE breakers (
  name        text        PRIMARY KEY,
  state       text        NOT NULL,
  -- An operator said so; no worker changes it.
  forced      boolean     NOT NULL DEFAULT false,
  -- From then on one call may try; null for an operator's "until further notice".
  open_until  timestamptz,
  -- Of the calls that opened it.
  failures    integer     NOT NULL DEFAULT 0,
  -- Who brought the state about: a worker, the run that tried, an operator.
  changed_by  text        NOT NULL,
  note        text,
  -- Who tries while it is half open, and until when nobody else may.
  probe_owner text,
  probe_until timestamptz,
  updated_at  timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT breakers_state CHECK (CASE state
    WHEN 'closed' THEN num_nonnulls(open_until, probe_owner, probe_until) = 0
    WHEN 'open' THEN num_nonnulls(probe_owner, probe_until) = 0 AND forced = (open_until IS NULL)
    WHEN 'half_open' THEN open_until IS NULL AND num_nulls(probe_owner, probe_until) = 0 AND NOT forced
    ELSE false END),
  CONSTRAINT breakers_failures CHECK (failures >= 0)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON gate_states, concurrency_holds, gate_waiters TO spine_app;
GRANT SELECT, INSERT, UPDATE ON breakers TO spine_app;
