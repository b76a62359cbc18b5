/** What an example says of itself. */
import type { JsonObject } from '@spine/core';

/** From what a newcomer reads first to what puts everything together. */
export const EXAMPLE_LEVELS = ['basic', 'intermediate', 'advanced', 'mind-blowing'] as const;
export type ExampleLevel = (typeof EXAMPLE_LEVELS)[number];

/** How an example is started: any run of this kind, name and params. */
export interface ExampleRun {
  readonly kind: 'workflow' | 'operation';
  readonly name: string;
  /** Those it is shown with; a caller may give others of the same shape. */
  readonly params: JsonObject;
}

export interface Example {
  /** Unique, e.g. `examples.b1_hello_world`. */
  readonly name: string;
  /** A few words. */
  readonly title: string;
  readonly level: ExampleLevel;
  /** What it shows, in a sentence or two. */
  readonly description: string;
  /** The file to read, inside this package's `src` (or `dist`, in a built deployment). */
  readonly source: URL;
  readonly run: ExampleRun;
  readonly tags: readonly string[];
}
