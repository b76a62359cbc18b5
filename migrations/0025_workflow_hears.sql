-- A settlement tells the workflows of the runs that it ends by itself, all of them in its own statement: called once a row,
-- the trigger costs several times the settlement. Whatever else ends a run is told of by the trigger, as before; so are
-- settlements of a release that knows nothing of the column.
ALTER TABLE runs ADD COLUMN workflow_told boolean;
COMMENT ON COLUMN runs.workflow_told IS 'Set by the statement that ended the run and has told its workflows; null for any other end.';

DROP TRIGGER runs_workflow_hears ON runs;
CREATE TRIGGER runs_workflow_hears AFTER UPDATE ON runs FOR EACH ROW
  WHEN (NEW.completed_at IS NOT NULL AND NEW.kind IN ('step', 'workflow') AND NEW.workflow_told IS NOT TRUE)
  EXECUTE FUNCTION spine_workflow_run_ended();

-- Rows that every advance changes: with room beside them the change needs no entry in any index.
ALTER TABLE workflow_runs SET (fillfactor = 60);
ALTER TABLE workflow_state SET (fillfactor = 70);
