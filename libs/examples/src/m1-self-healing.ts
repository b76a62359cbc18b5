/**
 * M1: a pipeline that heals what it can, and says what it cannot.
 *
 *   fetch --> store --> diagnose --> heal (one run a letter) --> post_mortem
 *
 * - `fetch` fails at first; its retry policy and a circuit breaker stand between it and its source.
 * - `store` keeps the sound payments. A broken one is a dead letter, and all of them an anomaly (`m1-ingest.ts`).
 * - `diagnose` looks at every pending letter of the handler, those of earlier runs and of single runs that failed included;
 *   `heal` replays what it can repair, each in a run that closes its letter as it stores the payment (`m1-heal.ts`).
 * - `post_mortem` resolves the anomaly when nothing is left, and else leaves it to a person.
 */
import { operation, workflow } from '@spine/orchestration';
import type { ManagedWorkflow } from '@spine/orchestration';
import { registerManaged, WORKER_ONLY } from './example-module.ts';
import type { ExampleModule } from './example-module.ts';
import {
  diagnoseLetters,
  diagnoseParams,
  postMortem,
  postMortemParams,
  replayLetter,
  replayParams,
} from './m1-heal.ts';
import {
  fetchParams,
  fetchPayments,
  quarantineParams,
  STORE_PAYMENT,
  storeOrQuarantine,
  storeParams,
  storePayment,
} from './m1-ingest.ts';

const NAME = 'examples.m1_self_healing';
const TITLE = 'Self-Healing Pipeline with DLQ';

function selfHealing(): ManagedWorkflow {
  return workflow(NAME, { domain: 'examples', description: TITLE, tags: ['example'] })
    .defaults({ fail_first: 1 })
    .step('fetch', operation('examples.m1_fetch'), {
      config: { request: '{{ params }}' },
      retry: { strategy: 'exponential', maxRetries: 5, baseDelaySeconds: 0.1, factor: 3 },
    })
    .step('store', operation('examples.m1_store_or_quarantine'), {
      config: { payments: '{{ steps.fetch.output.payments }}' },
    })
    .step('diagnose', operation('examples.m1_diagnose'))
    .map(
      'heal',
      '{{ steps.diagnose.output.replay }}',
      [
        {
          name: 'replay',
          kind: 'operation',
          handler: 'examples.m1_replay_letter',
          params: { dead_letter_id: '{{ item.dead_letter_id }}', payment: '{{ item.payment }}' },
        },
      ],
      { maxConcurrency: 4 },
    )
    .step('post_mortem', operation('examples.m1_post_mortem'), {
      config: {
        stored: '{{ steps.store.output }}',
        left: '{{ steps.diagnose.output.left }}',
        replays: '{{ steps.heal.output.items }}',
      },
    })
    .build();
}

export const m1SelfHealing: ExampleModule = {
  example: {
    name: NAME,
    title: TITLE,
    level: 'mind-blowing',
    description:
      'Retries, a breaker, dead letters, an anomaly, and a healer that replays what it can repair, each in one commit.',
    source: new URL(import.meta.url),
    run: { kind: 'workflow', name: NAME, params: { fail_first: 1 } },
    tags: ['workflow', 'dead letters', 'anomalies', 'retry', 'circuit breaker', 'map'],
  },
  register: (to) => {
    to.handlers
      .registerOperation(
        'examples.m1_fetch',
        { description: 'Payments, from a source that fails at first.', params: fetchParams, ...WORKER_ONLY },
        fetchPayments,
      )
      .registerOperation(
        STORE_PAYMENT,
        {
          description: 'Stores a payment, once.',
          params: storeParams,
          ...WORKER_ONLY,
          idempotency: 'L2_INPUT',
        },
        storePayment,
      )
      .registerOperation(
        'examples.m1_store_or_quarantine',
        {
          description: 'Stores payments; what cannot be stored becomes a dead letter.',
          params: quarantineParams,
          ...WORKER_ONLY,
          idempotency: 'L2_INPUT',
        },
        storeOrQuarantine,
      )
      .registerOperation(
        'examples.m1_diagnose',
        { description: 'What may be done about pending letters.', params: diagnoseParams, ...WORKER_ONLY },
        diagnoseLetters,
      )
      .registerOperation(
        'examples.m1_replay_letter',
        {
          description: 'Stores a repaired payment and closes its dead letter.',
          params: replayParams,
          ...WORKER_ONLY,
          idempotency: 'L2_INPUT',
        },
        replayLetter,
      )
      .registerOperation(
        'examples.m1_post_mortem',
        {
          description: 'Says what happened, and resolves the anomaly.',
          params: postMortemParams,
          ...WORKER_ONLY,
        },
        postMortem,
      );
    registerManaged(to, selfHealing());
  },
};
