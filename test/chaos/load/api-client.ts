/** The three requests of the load, and what their answers mean to somebody who repeats them. */
import { z } from 'zod';
import type { WorkSpecJson } from '@spine/execution';

/** What became of one run of a request. */
export type Answer =
  | { readonly type: 'accepted'; readonly runId: string }
  /** It will never be accepted. */
  | { readonly type: 'refused'; readonly status: number; readonly detail: string }
  /** Nobody knows: the same is sent again. */
  | { readonly type: 'unclear' };

const UNCLEAR: Answer = { type: 'unclear' };
const ATTEMPT_TIMEOUT_MS = 8_000;

const submitted = z.object({ data: z.object({ run_id: z.string() }) });
const batch = z.object({
  data: z.object({
    items: z.array(
      z.discriminatedUnion('outcome', [
        z.object({ outcome: z.enum(['accepted', 'existing']), run_id: z.string() }),
        z.object({ outcome: z.literal('refused'), code: z.string(), detail: z.string() }),
      ]),
    ),
  }),
});

/** Codes of a batch item that say "later", as 5xx and 429 do of a whole request. */
const LATER = new Set(['INTERNAL', 'UNAVAILABLE', 'RATE_LIMITED', 'QUOTA_EXCEEDED']);

async function post(url: string, body: unknown): Promise<{ status: number; text: string } | null> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MS),
    });
    return { status: response.status, text: await response.text() };
  } catch {
    // Refused, reset, or no answer in time: the request may have been carried out.
    return null;
  }
}

function isLater(status: number): boolean {
  return status >= 500 || status === 429;
}

function refused(status: number, detail: string): Answer {
  return { type: 'refused', status, detail: detail.slice(0, 300) };
}

/** Submits one run. Never throws. */
export async function submitOne(api: string, spec: WorkSpecJson): Promise<Answer> {
  const answer = await post(`${api}/api/v1/runs?allow_unknown=true`, spec);
  if (answer === null || isLater(answer.status)) return UNCLEAR;
  if (answer.status >= 300) return refused(answer.status, answer.text);
  return { type: 'accepted', runId: submitted.parse(JSON.parse(answer.text)).data.run_id };
}

/** Submits several runs in one request; one answer for each, in order. Never throws for what the API says. */
export async function submitMany(api: string, specs: readonly WorkSpecJson[]): Promise<readonly Answer[]> {
  const answer = await post(`${api}/api/v1/runs/batch?allow_unknown=true`, { runs: specs });
  if (answer === null || isLater(answer.status)) return specs.map(() => UNCLEAR);
  if (answer.status >= 300) return specs.map(() => refused(answer.status, answer.text));
  return batch.parse(JSON.parse(answer.text)).data.items.map((item): Answer => {
    if (item.outcome !== 'refused') return { type: 'accepted', runId: item.run_id };
    return LATER.has(item.code) ? UNCLEAR : refused(400, `${item.code}: ${item.detail}`);
  });
}

/** Asks once for a cancellation; whether it was carried out is seen in the run. */
export async function cancel(api: string, runId: string): Promise<void> {
  await post(`${api}/api/v1/runs/${runId}/cancel`, { reason: 'chaos' });
}
