-- FINRA weekly OTC transparency as it was published: one row per week, tier, symbol and venue, for every version captured.

CREATE TABLE finra_otc_transparency_raw (
  -- Over everything the source says of the row: what it says again is not stored again.
  record_hash      text        PRIMARY KEY,
  -- Business time: the Friday the figures are about.
  week_ending      date        NOT NULL,
  tier             text        NOT NULL,
  symbol           text        NOT NULL,
  issue_name       text        NOT NULL,
  venue_name       text        NOT NULL,
  mpid             text        NOT NULL,
  total_shares     numeric     NOT NULL,
  total_trades     bigint      NOT NULL,
  -- Source time: when FINRA last changed the row.
  last_update_date date        NOT NULL,
  -- Capture time: when the row was stored here.
  captured_at      timestamptz NOT NULL DEFAULT now(),
  capture_id       text        NOT NULL,
  source_file      text        NOT NULL,
  source_sha256    text        NOT NULL,
  source_line      bigint      NOT NULL,
  run_id           uuid        NOT NULL,
  batch_id         text,
  CONSTRAINT finra_otc_raw_friday CHECK (extract(isodow FROM week_ending) = 5),
  CONSTRAINT finra_otc_raw_tier CHECK (tier IN ('OTC', 'NMS_TIER_1', 'NMS_TIER_2')),
  CONSTRAINT finra_otc_raw_not_empty CHECK (symbol <> '' AND issue_name <> '' AND venue_name <> '' AND mpid <> ''),
  -- NaN is greater than every number, and no number of shares.
  CONSTRAINT finra_otc_raw_counts CHECK (total_shares >= 0 AND total_shares < 'NaN' AND total_trades >= 0),
  CONSTRAINT finra_otc_raw_hashes CHECK (record_hash ~ '^[0-9a-f]{64}$' AND source_sha256 ~ '^[0-9a-f]{64}$'),
  CONSTRAINT finra_otc_raw_line CHECK (source_line > 0)
);
CREATE INDEX finra_otc_raw_week ON finra_otc_transparency_raw (week_ending, tier, symbol);

-- A capture is evidence: appended, never changed, never deleted.
GRANT SELECT, INSERT ON finra_otc_transparency_raw TO spine_app;
