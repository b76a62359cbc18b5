-- Exchange calendars as they were loaded from files. A corrected file is another capture beside the first.

CREATE TABLE reference_calendar_captures (
  capture_id    text        PRIMARY KEY,
  -- Market identifier code as of ISO 10383.
  exchange_code text        NOT NULL,
  year          integer     NOT NULL,
  -- 1, 2, ...: the newest is what is known.
  version       integer     NOT NULL,
  -- SHA-256 of what the file says, whatever its spacing or order.
  content_hash  text        NOT NULL,
  captured_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  source_file   text        NOT NULL,
  source_sha256 text        NOT NULL,
  run_id        uuid        NOT NULL,
  batch_id      text,
  CONSTRAINT reference_calendar_version UNIQUE (exchange_code, year, version),
  CONSTRAINT reference_calendar_code CHECK (exchange_code ~ '^[A-Z0-9]{4}$'),
  CONSTRAINT reference_calendar_numbers CHECK (year BETWEEN 1900 AND 2999 AND version > 0),
  CONSTRAINT reference_calendar_hashes CHECK (content_hash ~ '^[0-9a-f]{64}$' AND source_sha256 ~ '^[0-9a-f]{64}$')
);

CREATE TABLE reference_calendar_days (
  capture_id text NOT NULL REFERENCES reference_calendar_captures,
  date       date NOT NULL,
  name       text NOT NULL,
  type       text NOT NULL,
  -- On the exchange's own clock; of early closes alone.
  close_time text,
  PRIMARY KEY (capture_id, date),
  CONSTRAINT reference_calendar_days_name CHECK (name <> ''),
  CONSTRAINT reference_calendar_days_type CHECK (type IN ('market_holiday', 'special_closing', 'early_close')),
  CONSTRAINT reference_calendar_days_weekday CHECK (extract(isodow FROM date) < 6),
  CONSTRAINT reference_calendar_days_close CHECK (
    (type = 'early_close') = (close_time IS NOT NULL) AND close_time ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$')
);

-- Captures are evidence: appended, never changed, never deleted.
GRANT SELECT, INSERT ON reference_calendar_captures, reference_calendar_days TO spine_app;

-- The same rule at a thirtieth of the price: a counted pattern over 64 characters took 15 us a hash, more than all the rest
-- of storing a row. decode refuses what is not hexadecimal, and the way back what is upper case.
ALTER TABLE finra_otc_transparency_raw
  DROP CONSTRAINT finra_otc_raw_hashes,
  ADD CONSTRAINT finra_otc_raw_hashes CHECK (
    octet_length(record_hash) = 64 AND encode(decode(record_hash, 'hex'), 'hex') = record_hash
    AND octet_length(source_sha256) = 64 AND encode(decode(source_sha256, 'hex'), 'hex') = source_sha256);
