-- Leases: who may do what only one may do at a time, for longer than a transaction.

CREATE SEQUENCE lock_tokens;

CREATE TABLE locks (
  lock_key    text        PRIMARY KEY,
  owner       text        NOT NULL,
  -- The fence: grows with every acquisition of any lock. A write made under the lock carries it.
  token       bigint      NOT NULL,
  acquired_at timestamptz NOT NULL DEFAULT now(),
  renewed_at  timestamptz NOT NULL DEFAULT now(),
  expires_at  timestamptz NOT NULL,
  note        text,
  CONSTRAINT locks_key CHECK (lock_key <> '' AND length(lock_key) <= 200),
  CONSTRAINT locks_times CHECK (expires_at >= acquired_at)
);
CREATE INDEX locks_expiry ON locks (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON locks TO spine_app;
GRANT USAGE ON SEQUENCE lock_tokens TO spine_app;
