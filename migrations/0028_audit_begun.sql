-- A call that changes something is in the audit log before it changes anything, and says by which key an approval was given.
-- See docs/auth.md.

ALTER TABLE audit_log
  -- Null until the call has ended: whether it has changed anything is not known.
  ALTER COLUMN status DROP NOT NULL,
  ADD COLUMN ended_at timestamptz(3),
  -- <host>:<pid> that served it.
  ADD COLUMN process  text,
  -- The body, without what may be secret.
  ADD COLUMN request  jsonb,
  -- Things that a call about many has changed.
  ADD COLUMN touched  bigint,
  ADD CONSTRAINT audit_log_touched CHECK (touched >= 0),
  ADD CONSTRAINT audit_log_begun
    CHECK (status IS NOT NULL OR (ended_at IS NULL AND before IS NULL AND after IS NULL AND touched IS NULL));
CREATE INDEX audit_log_open ON audit_log (at, audit_id) WHERE status IS NULL;
CREATE INDEX audit_log_unsuccessful ON audit_log (at, audit_id) WHERE status >= 400;
CREATE INDEX audit_log_route ON audit_log (route, at, audit_id);
CREATE INDEX audit_log_request ON audit_log (request_id, at, audit_id);

-- The one change there is: a record that was begun gets its end, once.
CREATE OR REPLACE FUNCTION spine_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  closing CONSTANT text[] := ARRAY['status', 'ended_at', 'before', 'after', 'touched'];
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF OLD.status IS NULL AND NEW.status IS NOT NULL AND NEW.ended_at >= OLD.at
      AND to_jsonb(NEW) - closing = to_jsonb(OLD) - closing THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'audit_log is append only' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
GRANT UPDATE (status, ended_at, before, after, touched) ON audit_log TO spine_app;

-- The principal that decided in the name of decided_by; null in local mode.
ALTER TABLE workflow_approvals ADD COLUMN decided_via text;
GRANT UPDATE (decided_via) ON workflow_approvals TO spine_app;
