-- Events on their way between processes that are too large for a notification (8,000 bytes). The notification names the
-- row; every listener reads it. Rows are of no use once everybody who listens has read them: a later large event deletes
-- those older than ten minutes. They are no record of anything.
CREATE TABLE event_bus_payloads (
  event_id uuid PRIMARY KEY,
  content text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT event_bus_payloads_content CHECK (octet_length(content) BETWEEN 1 AND 524288)
);

CREATE INDEX event_bus_payloads_created ON event_bus_payloads (created_at);

GRANT SELECT, INSERT, DELETE ON event_bus_payloads TO spine_app;
-- Rows are never changed: deleting them without waiting for others that delete locks them first, which takes this right.
GRANT UPDATE (created_at) ON event_bus_payloads TO spine_app;
