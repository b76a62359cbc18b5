-- What an operator asks of a deployment: which processes there are, and questions of their own. See docs/deploy-status.md and
-- docs/database-maintenance.md.

-- Processes of the API and the scheduler. Workers have a table of their own.
CREATE TABLE service_processes (
  process_id   uuid        PRIMARY KEY,
  service      text        NOT NULL,
  hostname     text        NOT NULL,
  pid          integer     NOT NULL,
  version      text        NOT NULL,
  started_at   timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz NOT NULL DEFAULT now(),
  -- It said so itself; a process that was killed only falls silent.
  stopped_at   timestamptz,
  CONSTRAINT service_processes_service CHECK (service IN ('api', 'scheduler')),
  CONSTRAINT service_processes_pid CHECK (pid > 0),
  CONSTRAINT service_processes_names CHECK (hostname <> '' AND version <> '')
);
CREATE INDEX service_processes_seen ON service_processes (last_seen_at);
GRANT SELECT, INSERT, DELETE, UPDATE (last_seen_at, stopped_at) ON service_processes TO spine_app;
GRANT SELECT ON schema_migrations TO spine_app;

-- Whoever asks a question of their own asks it as this role, which reads and does nothing else.
DO $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'spine_reader') THEN
    CREATE ROLE spine_reader NOLOGIN;
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN NULL;
  WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'the migrating user may not create roles'
      USING HINT = 'run once as an administrator: CREATE ROLE spine_reader NOLOGIN; GRANT spine_reader TO <the migrating user>;';
END
$$;
DO $$
BEGIN
  -- It owns the function below; the services' role is no member of it.
  IF NOT pg_has_role(current_user, 'spine_reader', 'MEMBER') THEN
    EXECUTE format('GRANT spine_reader TO %I', current_user);
  END IF;
EXCEPTION
  WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'the migrating user is no member of spine_reader, which another user has created'
      USING HINT = 'run once as an administrator: GRANT spine_reader TO <the migrating user>;';
END
$$;
-- What stands in the tables there are now. A later table is readable when its migration says so.
GRANT USAGE ON SCHEMA public TO spine_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO spine_reader;
-- Hashes of keys, and who did what from where.
REVOKE ALL ON api_keys, audit_log FROM spine_reader;

-- Answers a question: one row a row, its values as JSON text in the order of the columns. The last row says whether
-- there was more than was asked for.
--
-- As its owner, the reader, whatever role calls it. A cursor takes one statement, and one that answers with rows. The values
-- are computed in here, because Postgres refuses SET ROLE and its like within such a function and nowhere else: a question
-- that could become another role would read what that one may.
CREATE FUNCTION spine_ask(question text, max_rows integer, max_bytes bigint)
  RETURNS TABLE (cells text[], ended text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  answer refcursor;
  found_row record;
  bytes bigint := 0;
  n integer := 0;
BEGIN
  OPEN answer NO SCROLL FOR EXECUTE question;
  LOOP
    FETCH answer INTO found_row;
    IF NOT FOUND THEN
      cells := NULL; ended := 'all'; RETURN NEXT; RETURN;
    END IF;
    IF n >= max_rows THEN
      cells := NULL; ended := 'rows'; RETURN NEXT; RETURN;
    END IF;
    SELECT COALESCE(array_agg(c.value::text ORDER BY c.ordinality), '{}'), bytes + COALESCE(sum(octet_length(c.value::text) + 1), 0)
      INTO cells, bytes
      FROM json_each(row_to_json(found_row)) WITH ORDINALITY c;
    IF bytes > max_bytes THEN
      cells := NULL; ended := 'bytes'; RETURN NEXT; RETURN;
    END IF;
    n := n + 1;
    ended := NULL;
    RETURN NEXT;
  END LOOP;
END
$$;
REVOKE ALL ON FUNCTION spine_ask(text, integer, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION spine_ask(text, integer, bigint) TO spine_app;
-- Whoever is given a function needs to be able to make one there; for this moment.
GRANT CREATE ON SCHEMA public TO spine_reader;
ALTER FUNCTION spine_ask(text, integer, bigint) OWNER TO spine_reader;
REVOKE CREATE ON SCHEMA public FROM spine_reader;
