/** Bodies to try in the documentation's page. */
const YAML = `apiVersion: spine.io/v1
kind: Workflow
metadata: { name: demo.etl, domain: demo, tags: [example] }
spec:
  steps:
    - { name: load, kind: operation, handler: etl_stub, params: { records: 100 } }
    - { name: again, kind: operation, handler: etl_stub, depends_on: [load], params: { records: 10 } }
`;

export const WORKFLOW_EXAMPLES = {
  yaml: {
    summary: 'As a YAML file',
    value: { yaml_content: YAML, changelog: 'the first version' },
  },
  json: {
    summary: 'As JSON',
    value: {
      definition: {
        name: 'demo.etl',
        domain: 'demo',
        steps: [{ name: 'load', kind: 'operation', handler: 'etl_stub', params: { records: 100 } }],
      },
    },
  },
} as const;
