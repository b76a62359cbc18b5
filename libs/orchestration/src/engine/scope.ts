/** Where references and conditions of a run read. */
import type { Scope } from '../workflow/template.ts';
import type { Draft } from './draft.ts';

/** The run's params, context, signals, and the steps that have settled. */
export function runScope(draft: Draft): Scope {
  return {
    root: (name) => {
      switch (name) {
        case 'params':
          return draft.head.params;
        case 'context':
          return draft.head.context;
        case 'signals':
          return draft.head.signals;
        case 'previous':
          return draft.head.previous;
        case 'item':
        case 'index':
        case 'stages':
          return undefined;
      }
    },
    step: (name) => {
      if (!draft.graph.has(name)) return undefined;
      const { status, output, error } = draft.step(name);
      return {
        status,
        output: output ?? {},
        error: error === null ? null : { message: error.message, type: error.type, category: error.category },
      };
    },
  };
}

/** The same within the iterator of a map. `stages` holds the outputs of the item's earlier steps. */
export function itemScope(draft: Draft, step: string, index: number): Scope {
  const outer = runScope(draft);
  const item = draft.item(step, index);
  return {
    step: (name) => outer.step(name),
    root: (name) => {
      if (name === 'item') return item.input;
      if (name === 'index') return index;
      return name === 'stages' ? item.outputs : outer.root(name);
    },
  };
}
