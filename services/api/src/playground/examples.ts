/** Bodies to try in the documentation's page. */
export const SESSION_EXAMPLES = {
  inline: {
    summary: 'A definition of one’s own, with an answer for one step',
    value: {
      definition: {
        name: 'demo.pipeline',
        steps: [
          { kind: 'operation', name: 'fetch', handler: 'demo.fetch' },
          {
            kind: 'lambda',
            name: 'double',
            handler: 'double',
            params: { rows: '{{ steps.fetch.output.rows }}', factor: '{{ params.factor }}' },
          },
        ],
      },
      params: { factor: 2 },
      answers: { fetch: { status: 'ok', output: { rows: [1, 2, 3] } } },
    },
  },
  recorded: {
    summary: 'A run that has ended, once more',
    value: { mode: 'recorded', run_id: '01890000-0000-7000-8000-000000000000' },
  },
} as const;
