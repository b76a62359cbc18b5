-- Asking a worker to stop, and finding runs that were set aside.

-- When an operator asked the worker to take no more work, hand back what it runs and end. Its next heartbeat reads it.
ALTER TABLE workers ADD COLUMN drain_requested_at timestamptz;

-- No other index knows paused runs: a bulk cancel would read the whole history to find a handful.
CREATE INDEX runs_paused ON runs (id) WHERE status = 'paused';
