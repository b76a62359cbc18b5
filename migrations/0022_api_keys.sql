-- Who may call the API, what they see of the runs, and what they changed. See docs/auth.md.

-- A key is shown once; what is kept is the SHA-256 of its text. Rows are never deleted: the audit log names them.
CREATE TABLE api_keys (
  key_id         uuid        PRIMARY KEY,
  name           text        NOT NULL,
  scopes         text[]      NOT NULL,
  -- Sees and submits only runs of this namespace; null for all.
  namespace      text,
  secret_hash    bytea       NOT NULL,
  -- The secret before the last rotation, good until then.
  previous_hash  bytea,
  previous_until timestamptz,
  created_at     timestamptz NOT NULL DEFAULT now(),
  created_by     text        NOT NULL,
  expires_at     timestamptz,
  rotated_at     timestamptz,
  revoked_at     timestamptz,
  revoked_by     text,
  -- At most once a minute.
  last_used_at   timestamptz,
  CONSTRAINT api_keys_name CHECK (char_length(name) BETWEEN 1 AND 200),
  CONSTRAINT api_keys_scopes CHECK (cardinality(scopes) >= 1
    AND scopes <@ ARRAY['read', 'submit', 'operate', 'admin', 'metrics']),
  CONSTRAINT api_keys_namespace CHECK (namespace ~ '^[a-z][a-z0-9_-]{0,62}$'),
  CONSTRAINT api_keys_hashes CHECK (octet_length(secret_hash) = 32 AND octet_length(previous_hash) = 32),
  CONSTRAINT api_keys_previous CHECK ((previous_hash IS NULL) = (previous_until IS NULL)),
  CONSTRAINT api_keys_revoked CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE INDEX api_keys_of_namespace ON api_keys (namespace, key_id) WHERE namespace IS NOT NULL;

-- Of the key that submitted it, or of the run it came from; null for everybody's. Never changes.
ALTER TABLE runs ADD COLUMN namespace text;
-- The principal that submitted it: key:<id>, static:<position>. Null in local mode, and for what Spine starts by itself.
ALTER TABLE runs ADD COLUMN submitted_by text;
CREATE INDEX runs_namespace ON runs (namespace, id) WHERE namespace IS NOT NULL;

-- Two namespaces may use one idempotency key for different work, and neither learns of the other's.
DROP INDEX runs_idempotency_key;
CREATE UNIQUE INDEX runs_idempotency_key ON runs (idempotency_key)
  WHERE idempotency_key IS NOT NULL AND namespace IS NULL;
CREATE UNIQUE INDEX runs_namespace_key ON runs (namespace, idempotency_key)
  WHERE idempotency_key IS NOT NULL AND namespace IS NOT NULL;

-- A letter outlives its run, and belongs to the same namespace.
ALTER TABLE dead_letters ADD COLUMN namespace text;
CREATE INDEX dead_letters_namespace ON dead_letters (namespace, created_at DESC, id DESC) WHERE namespace IS NOT NULL;

-- Letters are written by the statements that settle and reap, and they are few: the rule is kept here for all of them.
CREATE FUNCTION spine_dead_letter_namespace() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.namespace := (SELECT r.namespace FROM public.runs r WHERE r.id = NEW.run_id);
  RETURN NEW;
END
$$;
CREATE TRIGGER dead_letters_namespace BEFORE INSERT ON dead_letters FOR EACH ROW
  EXECUTE FUNCTION spine_dead_letter_namespace();

-- Calls that changed something, or tried to and were forbidden to.
CREATE TABLE audit_log (
  audit_id       bigint         GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at             timestamptz(3) NOT NULL DEFAULT now(),
  principal_type text           NOT NULL,
  principal_id   text           NOT NULL,
  principal_name text           NOT NULL,
  namespace      text,
  method         text           NOT NULL,
  -- The pattern, not the path: what stood in its place is in targets.
  route          text           NOT NULL,
  targets        jsonb          NOT NULL,
  -- The last of the targets: the run, the schedule, the key.
  target         text,
  status         integer        NOT NULL,
  request_id     text           NOT NULL,
  remote_address text           NOT NULL,
  before         jsonb,
  after          jsonb,
  CONSTRAINT audit_log_principal_type CHECK (principal_type IN ('local', 'static', 'key')),
  CONSTRAINT audit_log_status CHECK (status BETWEEN 100 AND 599)
);
CREATE INDEX audit_log_at ON audit_log (at, audit_id);
CREATE INDEX audit_log_principal ON audit_log (principal_id, at, audit_id);
CREATE INDEX audit_log_target ON audit_log (target, at, audit_id) WHERE target IS NOT NULL;

CREATE FUNCTION spine_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit_log is append only' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW
  EXECUTE FUNCTION spine_refuse_audit_change();
CREATE TRIGGER audit_log_not_emptied BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT
  EXECUTE FUNCTION spine_refuse_audit_change();

GRANT SELECT, INSERT, UPDATE (secret_hash, previous_hash, previous_until, rotated_at, expires_at, revoked_at, revoked_by,
  last_used_at) ON api_keys TO spine_app;
GRANT SELECT, INSERT ON audit_log TO spine_app;
