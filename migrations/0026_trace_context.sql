-- The trace a run was submitted in. See docs/tracing.md.

-- W3C traceparent of the span that submitted it; null where that was not traced. Never changes.
ALTER TABLE runs ADD COLUMN trace_context text;
-- Not checked for the rows there are: they have none, and the table may be large.
ALTER TABLE runs ADD CONSTRAINT runs_trace_context
  CHECK (trace_context ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$') NOT VALID;
