-- Starts of workflows: how many run at a time, and which partition they are for. See docs/workflow-runs.md.

-- Canonical JSON; null for a run that is not tracked.
ALTER TABLE workflow_runs ADD COLUMN partition_key text;
-- What admission has decided, once more: of one partition one run is under way. As a hash, because a key may be longer than
-- an index takes.
CREATE UNIQUE INDEX workflow_runs_partition ON workflow_runs (name, md5(partition_key))
  WHERE partition_key IS NOT NULL AND status <> 'ended';
CREATE INDEX workflow_runs_version ON workflow_runs (name, version, run_id);

-- The runs of a workflow, newest first: each status is a range of its own, so that a rare one is not searched for among
-- the others. Only transitions of workflow runs pay for it.
CREATE INDEX runs_workflow ON runs (name, status, id) WHERE kind = 'workflow';
CREATE INDEX runs_workflow_partition ON runs (name, md5(metadata ->> 'workflow_partition'), status, id)
  WHERE kind = 'workflow' AND metadata ? 'workflow_partition';
