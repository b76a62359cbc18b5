-- Workflows by name: the version new runs begin with. See docs/workflow-definitions.md.

CREATE TABLE workflows (
  name            text        PRIMARY KEY,
  -- What runs that are submitted from now on begin with.
  current_version integer     NOT NULL,
  -- code: the release of a worker defines it. api: it was posted.
  source          text        NOT NULL,
  -- Raised by every change; the ETag.
  revision        integer     NOT NULL DEFAULT 1,
  created_by      text        NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_by      text        NOT NULL,
  updated_at      timestamptz NOT NULL DEFAULT now(),
  -- No new runs; versions and runs stay.
  archived_at     timestamptz,
  CONSTRAINT workflows_source CHECK (source IN ('code', 'api')),
  CONSTRAINT workflows_revision CHECK (revision >= 1),
  FOREIGN KEY (name, current_version) REFERENCES workflow_definitions
);

-- Every change of what a name stands for. Never changed, never deleted.
CREATE TABLE workflow_publications (
  publication_id   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name             text        NOT NULL REFERENCES workflows,
  action           text        NOT NULL,
  version          integer     NOT NULL,
  -- Null for the first.
  previous_version integer,
  source           text        NOT NULL,
  published_by     text        NOT NULL,
  -- The changelog of what was published, the reason of a rollback.
  reason           text,
  published_at     timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT workflow_publications_action CHECK (action IN ('published', 'rolled_back', 'archived')),
  CONSTRAINT workflow_publications_source CHECK (source IN ('code', 'api')),
  CONSTRAINT workflow_publications_why CHECK (action <> 'rolled_back' OR (reason IS NOT NULL AND previous_version IS NOT NULL)),
  FOREIGN KEY (name, version) REFERENCES workflow_definitions
);
CREATE INDEX workflow_publications_of ON workflow_publications (name, publication_id);

-- What was defined before there were names came from code. A worker's start says what is current now.
INSERT INTO workflows (name, current_version, source, created_by, created_at, updated_by)
SELECT DISTINCT ON (name) name, version, 'code', created_by, created_at, created_by
FROM workflow_definitions ORDER BY name, version DESC;

-- A run is pinned in the statement that submits it, whoever sends that: what is published between a submit and the start
-- changes nothing for the run. WHEN keeps the call off all other kinds.
CREATE FUNCTION spine_pin_workflow() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  current integer;
BEGIN
  IF NEW.metadata ? 'workflow_version' THEN RETURN NEW; END IF;
  SELECT w.current_version INTO current FROM public.workflows w WHERE w.name = NEW.name AND w.archived_at IS NULL;
  IF FOUND THEN NEW.metadata := NEW.metadata || jsonb_build_object('workflow_version', current); END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER runs_pin_workflow BEFORE INSERT ON runs FOR EACH ROW
  WHEN (NEW.kind = 'workflow') EXECUTE FUNCTION spine_pin_workflow();

GRANT SELECT, INSERT, UPDATE (current_version, source, revision, updated_by, updated_at, archived_at) ON workflows TO spine_app;
GRANT SELECT, INSERT ON workflow_publications TO spine_app;
