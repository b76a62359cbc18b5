-- Runs that start because something happened: triggers, what happened, and what became of it.

CREATE TABLE event_triggers (
  trigger_id    uuid        PRIMARY KEY,
  name          text        NOT NULL,
  description   text,
  state         text        NOT NULL,
  source        text        NOT NULL,
  -- Of the source: a webhook's own name, a table, a channel, a folder's trigger, a type of run event.
  channel       text        NOT NULL,
  source_config jsonb       NOT NULL DEFAULT '{}',
  filter        text,
  param_mapping jsonb       NOT NULL DEFAULT '{}',
  target_kind   text        NOT NULL,
  target_name   text        NOT NULL,
  work          jsonb       NOT NULL,
  version       integer     NOT NULL DEFAULT 1,
  created_by    text        NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT event_triggers_state CHECK (state IN ('active', 'paused', 'deleted')),
  CONSTRAINT event_triggers_source CHECK (source IN ('webhook', 'postgres', 'table', 'file', 'redis', 'run_event', 'ledger')),
  CONSTRAINT event_triggers_shape CHECK (
    jsonb_typeof(work) = 'object' AND jsonb_typeof(param_mapping) = 'object' AND jsonb_typeof(source_config) = 'object')
);
CREATE UNIQUE INDEX event_triggers_name ON event_triggers (name) WHERE state <> 'deleted';
CREATE INDEX event_triggers_channel ON event_triggers (source, channel) WHERE state = 'active';

-- What has happened, from whichever source, until every trigger was asked.
CREATE TABLE inbound_events (
  event_seq   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source      text        NOT NULL,
  channel     text        NOT NULL,
  event_id    text        NOT NULL,
  event_type  text        NOT NULL,
  data        jsonb       NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  routed_at   timestamptz,
  CONSTRAINT inbound_events_id CHECK (event_id <> '' AND length(event_id) <= 200)
);
-- The same event twice is one.
CREATE UNIQUE INDEX inbound_events_once ON inbound_events (source, channel, event_id);
CREATE INDEX inbound_events_open ON inbound_events (event_seq) WHERE routed_at IS NULL;
CREATE INDEX inbound_events_routed ON inbound_events (routed_at) WHERE routed_at IS NOT NULL;

CREATE TABLE trigger_deliveries (
  delivery_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  trigger_id  uuid        NOT NULL REFERENCES event_triggers,
  event_id    text        NOT NULL,
  event_type  text        NOT NULL,
  status      text        NOT NULL,
  reason      text,
  run_id      uuid,
  received_at timestamptz NOT NULL,
  delivered_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT trigger_deliveries_status CHECK (
    status IN ('ACCEPTED', 'FILTERED', 'REJECTED')
    AND (status = 'ACCEPTED') = (run_id IS NOT NULL) AND (status = 'REJECTED') = (reason IS NOT NULL))
);
-- An event starts one run of a trigger, however often it is delivered.
CREATE UNIQUE INDEX trigger_deliveries_once ON trigger_deliveries (trigger_id, event_id);
CREATE INDEX trigger_deliveries_recent ON trigger_deliveries (trigger_id, delivery_id DESC);

-- How far a source that keeps its own history has been read.
CREATE TABLE source_cursors (
  source     text        PRIMARY KEY,
  position   bigint      NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- For tables whose changes start runs: CREATE TRIGGER ... AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW
-- EXECUTE FUNCTION spine_capture_change(). The event commits with the change, or not at all.
CREATE FUNCTION spine_capture_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO inbound_events (source, channel, event_id, event_type, data)
  VALUES ('table', TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, gen_random_uuid()::text, lower(TG_OP), jsonb_build_object(
    'table', TG_TABLE_NAME, 'schema', TG_TABLE_SCHEMA, 'operation', TG_OP,
    'new', CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE to_jsonb(NEW) END,
    'old', CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE to_jsonb(OLD) END));
  PERFORM pg_notify('spine_inbound', '');
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION spine_capture_change() FROM PUBLIC;

GRANT SELECT, INSERT, UPDATE ON event_triggers TO spine_app;
GRANT SELECT, INSERT, DELETE, UPDATE (routed_at) ON inbound_events TO spine_app;
GRANT SELECT, INSERT ON trigger_deliveries TO spine_app;
GRANT SELECT, INSERT, UPDATE ON source_cursors TO spine_app;
