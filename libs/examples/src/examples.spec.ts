/** What holds of every example: it is described, its source is here, and what it runs is registered and sound. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '@spine/core';
import { HandlerRegistry } from '@spine/execution';
import { lintWorkflow, PLAYGROUND_TAG, PlaygroundHandlers, WorkflowRegistry } from '@spine/orchestration';
import { EXAMPLE_LEVELS } from './example.ts';
import { EXAMPLES, registerExamples } from './examples.ts';

const handlers = new HandlerRegistry();
const workflows = new WorkflowRegistry();
registerExamples(handlers, workflows);
const operations = handlers.handlers().map(({ name }) => name);
workflows.registerHandlers(handlers);

describe('the examples', () => {
  it('are each there once, in the order of their levels', () => {
    const names = EXAMPLES.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.every((name) => /^examples\.[abim]\d_[a-z0-9_]+$/.test(name))).toBe(true);
    const levels = EXAMPLES.map(({ level }) => EXAMPLE_LEVELS.indexOf(level));
    expect(levels).toEqual([...levels].sort());
  });

  it.each(EXAMPLES)('$name has a source in this package and runs what is registered', ({ source, run }) => {
    expect(source.href.startsWith(new URL('.', import.meta.url).href)).toBe(true);
    expect(existsSync(source)).toBe(true);
    expect(handlers.get(run.kind, run.name)?.parse(run.params)).toMatchObject({ ok: true });
  });

  it('take no name that is not theirs', () => {
    const names = [...operations, ...workflows.definitions.keys()];
    expect(names.filter((name) => !/^examples\.[abim]\d_/.test(name))).toEqual([]);
  });

  it('are workflows without an error', () => {
    for (const definition of workflows.definitions.values()) {
      const { passed, diagnostics } = lintWorkflow(definition);
      expect({ name: definition.name, passed, diagnostics }).toMatchObject({ passed: true });
    }
  });

  it('are marked for the playground where it may call all of their steps', () => {
    const playground = new PlaygroundHandlers(handlers);
    const callable = EXAMPLES.filter(({ run }) => {
      const definition = workflows.definitions.get(run.name);
      return (
        definition !== undefined &&
        playground.findUnsafe(definition, { given: {}, recorded: null }).length === 0
      );
    });
    const marked = EXAMPLES.filter(
      ({ run, tags }) => run.kind === 'workflow' && tags.includes(PLAYGROUND_TAG),
    );
    expect(callable).toEqual(marked);
    expect(marked.map(({ title }) => title)).toHaveLength(5);
  });

  it('can be described to whoever asks, and are registered once', () => {
    expect(() => handlers.check()).not.toThrow();
    expect(() => registerExamples(handlers, workflows)).toThrow(ConfigError);
  });
});
