-- What is calculated from the captured weekly files. Every row names the capture it was made from and the version of the
-- calculation that made it. The rows of one capture and version are replaced as a whole; those of another are never touched.

-- What was known of a week and tier at one time: a set of raw rows, named by the hash of their hashes.
CREATE TABLE finra_otc_captures (
  capture_id  text        PRIMARY KEY,
  week_ending date        NOT NULL,
  tier        text        NOT NULL,
  -- SHA-256 over the record hashes of the rows, in their order.
  raw_digest  text        NOT NULL,
  raw_rows    bigint      NOT NULL,
  -- When the last of the rows was stored: the capture holds all rows of the partition up to then.
  captured_at timestamptz NOT NULL,
  run_id      uuid        NOT NULL,
  batch_id    text,
  created_at  timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT finra_otc_captures_friday CHECK (extract(isodow FROM week_ending) = 5),
  CONSTRAINT finra_otc_captures_tier CHECK (tier IN ('OTC', 'NMS_TIER_1', 'NMS_TIER_2')),
  CONSTRAINT finra_otc_captures_digest CHECK (
    octet_length(raw_digest) = 64 AND encode(decode(raw_digest, 'hex'), 'hex') = raw_digest),
  CONSTRAINT finra_otc_captures_rows CHECK (raw_rows > 0)
);
-- The same rows are the same capture.
CREATE UNIQUE INDEX finra_otc_captures_once ON finra_otc_captures (week_ending, tier, raw_digest);
CREATE INDEX finra_otc_captures_newest ON finra_otc_captures (tier, week_ending, captured_at DESC, created_at DESC);

CREATE TABLE finra_otc_normalized (
  capture_id       text        NOT NULL REFERENCES finra_otc_captures,
  calc_version     text        NOT NULL,
  symbol           text        COLLATE "C" NOT NULL,
  mpid             text        COLLATE "C" NOT NULL,
  issue_name       text        NOT NULL,
  venue_name       text        NOT NULL,
  total_shares     numeric(24) NOT NULL,
  total_trades     numeric(24) NOT NULL,
  last_update_date date        NOT NULL,
  -- The raw row this is, and so its file and line.
  record_hash      text        NOT NULL,
  captured_at      timestamptz NOT NULL,
  run_id           uuid        NOT NULL,
  PRIMARY KEY (capture_id, calc_version, symbol, mpid),
  CONSTRAINT finra_otc_normalized_counts CHECK (total_shares >= 0 AND total_shares < 'NaN' AND total_trades >= 0 AND total_trades < 'NaN'),
  CONSTRAINT finra_otc_normalized_version CHECK (calc_version ~ '^v[1-9][0-9]*$')
);
-- One raw row is one normalized row.
CREATE UNIQUE INDEX finra_otc_normalized_source ON finra_otc_normalized (capture_id, calc_version, record_hash);

-- In place of a foreign key, which would lock and so rewrite every raw row: one look at all rows of a statement. Raw rows
-- are never deleted, so what was there stays there.
CREATE FUNCTION finra_otc_normalized_has_source() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  lost text;
BEGIN
  SELECT n.record_hash INTO lost FROM added n
  WHERE NOT EXISTS (SELECT 1 FROM finra_otc_transparency_raw r WHERE r.record_hash = n.record_hash) LIMIT 1;
  IF lost IS NOT NULL THEN
    RAISE EXCEPTION 'there is no raw row %', lost USING ERRCODE = '23503', CONSTRAINT = 'finra_otc_normalized_has_source';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER finra_otc_normalized_has_source AFTER INSERT ON finra_otc_normalized
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION finra_otc_normalized_has_source();

-- A symbol in a week.
CREATE TABLE finra_otc_symbol_summary (
  capture_id     text          NOT NULL REFERENCES finra_otc_captures,
  calc_version   text          NOT NULL,
  symbol         text          COLLATE "C" NOT NULL,
  week_ending    date          NOT NULL,
  tier           text          NOT NULL,
  issue_name     text          NOT NULL,
  total_shares   numeric(24)   NOT NULL,
  total_trades   numeric(24)   NOT NULL,
  venue_count    integer       NOT NULL,
  -- Shares a trade; null where there was none.
  avg_trade_size numeric(30,6),
  captured_at    timestamptz   NOT NULL,
  run_id         uuid          NOT NULL,
  PRIMARY KEY (capture_id, calc_version, symbol),
  CONSTRAINT finra_otc_symbol_summary_counts CHECK (
    total_shares >= 0 AND total_shares < 'NaN' AND total_trades >= 0 AND total_trades < 'NaN' AND venue_count > 0),
  CONSTRAINT finra_otc_symbol_summary_average CHECK ((total_trades = 0) = (avg_trade_size IS NULL) AND avg_trade_size >= 0),
  CONSTRAINT finra_otc_symbol_summary_version CHECK (calc_version ~ '^v[1-9][0-9]*$')
);
CREATE INDEX finra_otc_symbol_summary_top ON finra_otc_symbol_summary (capture_id, calc_version, total_shares DESC, symbol);

-- A week and tier: one row for all of its symbols, and what says that the capture is aggregated.
CREATE TABLE finra_otc_week_summary (
  capture_id   text        NOT NULL REFERENCES finra_otc_captures,
  calc_version text        NOT NULL,
  week_ending  date        NOT NULL,
  tier         text        NOT NULL,
  symbol_count integer     NOT NULL,
  venue_count  integer     NOT NULL,
  total_shares numeric(30) NOT NULL,
  total_trades numeric(30) NOT NULL,
  captured_at  timestamptz NOT NULL,
  run_id       uuid        NOT NULL,
  PRIMARY KEY (capture_id, calc_version),
  CONSTRAINT finra_otc_week_summary_counts CHECK (
    symbol_count > 0 AND venue_count > 0 AND total_shares >= 0 AND total_shares < 'NaN' AND total_trades >= 0
    AND total_trades < 'NaN'),
  CONSTRAINT finra_otc_week_summary_friday CHECK (extract(isodow FROM week_ending) = 5),
  CONSTRAINT finra_otc_week_summary_tier CHECK (tier IN ('OTC', 'NMS_TIER_1', 'NMS_TIER_2')),
  CONSTRAINT finra_otc_week_summary_version CHECK (calc_version ~ '^v[1-9][0-9]*$')
);
-- "What was the newest then", for one week or for all of them.
CREATE INDEX finra_otc_week_summary_as_of ON finra_otc_week_summary (
  tier, calc_version, week_ending DESC, captured_at DESC, capture_id DESC);

-- A venue's part of the shares of a week and tier. The parts sum to exactly 1.
CREATE TABLE finra_otc_venue_share (
  capture_id   text           NOT NULL REFERENCES finra_otc_captures,
  calc_version text           NOT NULL,
  mpid         text           COLLATE "C" NOT NULL,
  week_ending  date           NOT NULL,
  tier         text           NOT NULL,
  venue_name   text           NOT NULL,
  total_shares numeric(30)    NOT NULL,
  total_trades numeric(30)    NOT NULL,
  symbol_count integer        NOT NULL,
  share        numeric(11,10) NOT NULL,
  rank         integer        NOT NULL,
  captured_at  timestamptz    NOT NULL,
  run_id       uuid           NOT NULL,
  PRIMARY KEY (capture_id, calc_version, mpid),
  CONSTRAINT finra_otc_venue_share_counts CHECK (
    total_shares >= 0 AND total_shares < 'NaN' AND total_trades >= 0 AND total_trades < 'NaN' AND symbol_count > 0),
  CONSTRAINT finra_otc_venue_share_range CHECK (share >= 0 AND share <= 1 AND rank > 0),
  CONSTRAINT finra_otc_venue_share_version CHECK (calc_version ~ '^v[1-9][0-9]*$')
);
CREATE UNIQUE INDEX finra_otc_venue_share_ranks ON finra_otc_venue_share (capture_id, calc_version, rank);
-- One row a capture: "what was the newest then".
CREATE INDEX finra_otc_venue_share_as_of ON finra_otc_venue_share (
  tier, calc_version, week_ending DESC, captured_at DESC, capture_id DESC)
  WHERE rank = 1;

CREATE TABLE finra_otc_volume_per_day (
  capture_id     text          NOT NULL REFERENCES finra_otc_captures,
  calc_version   text          NOT NULL,
  symbol         text          COLLATE "C" NOT NULL,
  week_ending    date          NOT NULL,
  tier           text          NOT NULL,
  trading_days   integer       NOT NULL,
  shares_per_day numeric(30,6) NOT NULL,
  trades_per_day numeric(30,6) NOT NULL,
  captured_at    timestamptz   NOT NULL,
  run_id         uuid          NOT NULL,
  PRIMARY KEY (capture_id, calc_version, symbol),
  CONSTRAINT finra_otc_volume_per_day_counts CHECK (
    trading_days BETWEEN 1 AND 5 AND shares_per_day >= 0 AND shares_per_day < 'NaN' AND trades_per_day >= 0
    AND trades_per_day < 'NaN'),
  CONSTRAINT finra_otc_volume_per_day_version CHECK (calc_version ~ '^v[1-9][0-9]*$')
);

-- How far the shares of a symbol lie with few venues; symbol is null for the week's whole volume.
CREATE TABLE finra_otc_venue_concentration (
  capture_id    text           NOT NULL REFERENCES finra_otc_captures,
  calc_version  text           NOT NULL,
  symbol        text           COLLATE "C",
  week_ending   date           NOT NULL,
  tier          text           NOT NULL,
  venue_count   integer        NOT NULL,
  -- 0 to 1; 1 is one venue.
  hhi           numeric(21,20) NOT NULL,
  concentration text           NOT NULL,
  top_mpid      text           NOT NULL,
  top_share     numeric(11,10) NOT NULL,
  captured_at   timestamptz    NOT NULL,
  run_id        uuid           NOT NULL,
  CONSTRAINT finra_otc_venue_concentration_range CHECK (
    venue_count > 0 AND hhi > 0 AND hhi <= 1 AND top_share > 0 AND top_share <= 1),
  CONSTRAINT finra_otc_venue_concentration_name CHECK (concentration IN ('UNCONCENTRATED', 'MODERATE', 'HIGH')),
  CONSTRAINT finra_otc_venue_concentration_version CHECK (calc_version ~ '^v[1-9][0-9]*$')
);
CREATE UNIQUE INDEX finra_otc_venue_concentration_once ON finra_otc_venue_concentration (capture_id, calc_version, symbol)
  NULLS NOT DISTINCT;

CREATE TABLE finra_otc_liquidity (
  capture_id       text         NOT NULL REFERENCES finra_otc_captures,
  calc_version     text         NOT NULL,
  symbol           text         COLLATE "C" NOT NULL,
  week_ending      date         NOT NULL,
  tier             text         NOT NULL,
  volume_part      numeric(9,6) NOT NULL,
  trades_part      numeric(9,6) NOT NULL,
  dispersion_part  numeric(9,6) NOT NULL,
  score            numeric(7,4) NOT NULL,
  rank             integer      NOT NULL,
  captured_at      timestamptz  NOT NULL,
  run_id           uuid         NOT NULL,
  PRIMARY KEY (capture_id, calc_version, symbol),
  CONSTRAINT finra_otc_liquidity_range CHECK (
    volume_part BETWEEN 0 AND 1 AND trades_part BETWEEN 0 AND 1 AND dispersion_part BETWEEN 0 AND 1
    AND score BETWEEN 0 AND 100 AND rank > 0),
  CONSTRAINT finra_otc_liquidity_version CHECK (calc_version ~ '^v[1-9][0-9]*$')
);
CREATE UNIQUE INDEX finra_otc_liquidity_ranks ON finra_otc_liquidity (capture_id, calc_version, rank);

-- A symbol over six weeks. The same week and capture over other captures of the weeks before is another result.
CREATE TABLE finra_otc_rolling (
  -- SHA-256 over input_captures: what names this set of captures.
  capture_set    text          NOT NULL,
  calc_version   text          NOT NULL,
  symbol         text          COLLATE "C" NOT NULL,
  capture_id     text          NOT NULL REFERENCES finra_otc_captures,
  -- One capture a week that has any, oldest first; capture_id is the last.
  input_captures text[]        NOT NULL,
  week_ending    date          NOT NULL,
  tier           text          NOT NULL,
  weeks_present  integer       NOT NULL,
  is_complete    boolean       NOT NULL,
  avg_shares     numeric(30,6) NOT NULL,
  min_shares     numeric(24)   NOT NULL,
  max_shares     numeric(24)   NOT NULL,
  avg_trades     numeric(30,6) NOT NULL,
  trend          text          NOT NULL,
  captured_at    timestamptz   NOT NULL,
  run_id         uuid          NOT NULL,
  PRIMARY KEY (capture_set, calc_version, symbol),
  CONSTRAINT finra_otc_rolling_window CHECK (
    weeks_present BETWEEN 1 AND 6 AND is_complete = (weeks_present = 6) AND cardinality(input_captures) BETWEEN 1 AND 6
    AND capture_id = input_captures[cardinality(input_captures)] AND weeks_present <= cardinality(input_captures)),
  CONSTRAINT finra_otc_rolling_values CHECK (
    min_shares >= 0 AND max_shares < 'NaN' AND avg_shares BETWEEN min_shares AND max_shares AND avg_trades >= 0
    AND avg_trades < 'NaN'),
  CONSTRAINT finra_otc_rolling_trend CHECK (trend IN ('UP', 'DOWN', 'FLAT')),
  CONSTRAINT finra_otc_rolling_version CHECK (calc_version ~ '^v[1-9][0-9]*$')
);
CREATE INDEX finra_otc_rolling_capture ON finra_otc_rolling (capture_id, calc_version, symbol);

-- A tier's part of the shares of a week, over the tiers that were captured. The parts sum to exactly 1.
CREATE TABLE finra_otc_tier_share (
  capture_set    text           NOT NULL,
  calc_version   text           NOT NULL,
  tier           text           NOT NULL,
  -- The capture of this tier.
  capture_id     text           NOT NULL REFERENCES finra_otc_captures,
  -- Those of all tiers there are, in the order of the tiers.
  input_captures text[]         NOT NULL,
  week_ending    date           NOT NULL,
  total_shares   numeric(30)    NOT NULL,
  share          numeric(11,10) NOT NULL,
  rank           integer        NOT NULL,
  is_complete    boolean        NOT NULL,
  captured_at    timestamptz    NOT NULL,
  run_id         uuid           NOT NULL,
  PRIMARY KEY (capture_set, calc_version, tier),
  CONSTRAINT finra_otc_tier_share_tier CHECK (tier IN ('OTC', 'NMS_TIER_1', 'NMS_TIER_2')),
  CONSTRAINT finra_otc_tier_share_inputs CHECK (
    capture_id = ANY (input_captures) AND is_complete = (cardinality(input_captures) = 3)),
  CONSTRAINT finra_otc_tier_share_range CHECK (
    total_shares >= 0 AND total_shares < 'NaN' AND share >= 0 AND share <= 1 AND rank BETWEEN 1 AND 3),
  CONSTRAINT finra_otc_tier_share_version CHECK (calc_version ~ '^v[1-9][0-9]*$')
);
CREATE UNIQUE INDEX finra_otc_tier_share_ranks ON finra_otc_tier_share (capture_set, calc_version, rank);

-- The foreign key an array cannot have.
CREATE FUNCTION finra_otc_inputs_are_captures() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  lost text;
BEGIN
  SELECT i.capture_id INTO lost FROM (SELECT DISTINCT unnest(input_captures) AS capture_id FROM added) i
  WHERE NOT EXISTS (SELECT 1 FROM finra_otc_captures c WHERE c.capture_id = i.capture_id) LIMIT 1;
  IF lost IS NOT NULL THEN
    RAISE EXCEPTION 'there is no capture %', lost USING ERRCODE = '23503', CONSTRAINT = 'finra_otc_inputs_are_captures';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER finra_otc_inputs_are_captures AFTER INSERT ON finra_otc_rolling
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION finra_otc_inputs_are_captures();
CREATE TRIGGER finra_otc_inputs_are_captures AFTER INSERT ON finra_otc_tier_share
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION finra_otc_inputs_are_captures();

-- A capture is evidence. Calculated rows are replaced as a whole, and never changed.
GRANT SELECT, INSERT ON finra_otc_captures TO spine_app;
GRANT SELECT, INSERT, DELETE ON finra_otc_normalized, finra_otc_symbol_summary, finra_otc_week_summary,
  finra_otc_venue_share, finra_otc_volume_per_day, finra_otc_venue_concentration, finra_otc_liquidity, finra_otc_rolling,
  finra_otc_tier_share TO spine_app;
