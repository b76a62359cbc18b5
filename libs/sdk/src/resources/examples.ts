import { dataOf } from '../connection.ts';
import type { CallOptions, Connection } from '../connection.ts';
import type { ExampleRun, ListExamplesData } from '../generated/index.ts';
import { paged } from '../paging.ts';

/** Examples that the deployment brings along, to read and to run. */
export function examples({ api, call }: Connection) {
  return {
    /** The simplest first. */
    list: (query?: NonNullable<ListExamplesData['query']>, options?: CallOptions) =>
      paged(query, (query) => api.listExamples({ ...call(options), query })),
    source: (name: string, options?: CallOptions) =>
      dataOf(api.getExampleSource({ ...call(options), path: { name } })),
    /** Starts a run of it. Not repeated by itself. */
    run: (body: ExampleRun, options?: CallOptions) => dataOf(api.runExample({ ...call(options), body })),
  };
}
