import { readFileSync } from 'node:fs';
import { defineWorkflow, lintWorkflow, parseWorkflowYaml } from '@spine/orchestration';
import { describe, expect, it } from 'vitest';
import { WEEKLY_REFRESH_WORKFLOW } from './definition.ts';

const YAML = new URL('../../weekly-refresh.workflow.yaml', import.meta.url);

describe('finra.weekly_refresh', () => {
  const definition = defineWorkflow(WEEKLY_REFRESH_WORKFLOW);

  it('is the workflow of the file', () => {
    expect(parseWorkflowYaml(readFileSync(YAML, 'utf8')).definition.hash).toBe(definition.hash);
  });

  it('gives the linter nothing to say', () => {
    expect(lintWorkflow(WEEKLY_REFRESH_WORKFLOW).diagnostics).toEqual([]);
  });
});
