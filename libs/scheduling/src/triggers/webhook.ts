/**
 * Signed requests from outside, as Standard Webhooks says (https://www.standardwebhooks.com): HMAC-SHA-256 over id,
 * timestamp and the raw body, and a timestamp within five minutes.
 *
 * 1. Whatever is wrong with a signature, the answer is the same.
 * 2. The event's id is signed; the same id again starts nothing and answers with the run of the first time.
 * 3. The secret is resolved for each request and never stored, logged or answered.
 */
import { Webhook } from 'standardwebhooks';
import { asQueryable, appendInboundEvents, deliveryOf, triggerByName } from '@spine/database';
import type { Db, DeliveryRecord } from '@spine/database';
import { ConfigError, parseStrictJson } from '@spine/core';
import { TRIGGER_LIMITS } from './define.ts';
import type { EventRouter } from './router.ts';

export interface WebhookRequest {
  readonly name: string;
  /** As it was sent, byte for byte. */
  readonly body: Buffer;
  readonly id: string | undefined;
  readonly timestamp: string | undefined;
  readonly signature: string | undefined;
}

export type WebhookOutcome =
  | { readonly type: 'delivered'; readonly delivery: DeliveryRecord; readonly duplicate: boolean }
  /** No such trigger, or the signature, the id or the time is not right. */
  | { readonly type: 'refused' }
  | { readonly type: 'invalid'; readonly message: string };

export interface WebhookReceiverOptions {
  readonly db: Db;
  readonly router: EventRouter;
  /** The secret a reference names. */
  readonly resolveSecret: (reference: string) => Promise<string>;
}

const EVENT_ID = /^[\x21-\x7e]{1,200}$/;
const MAX_DEPTH = 64;

export class WebhookReceiver {
  readonly #options: WebhookReceiverOptions;

  constructor(options: WebhookReceiverOptions) {
    this.#options = options;
  }

  /** @throws what resolving the secret throws: an operator has to see to that, not the sender. */
  async receive(request: WebhookRequest): Promise<WebhookOutcome> {
    const { db, router } = this.#options;
    const { name, body, id = '', timestamp = '', signature = '' } = request;
    if (!TRIGGER_LIMITS.name.test(name) || !EVENT_ID.test(id)) return { type: 'refused' };
    const trigger = await triggerByName(db, name);
    if (trigger?.state !== 'active' || trigger.source !== 'webhook') return { type: 'refused' };
    const secret = await this.#options.resolveSecret(String(trigger.sourceConfig['secret_ref']));
    if (!isSigned(secret, body, { id, timestamp, signature })) return { type: 'refused' };
    const parsed = parseStrictJson(body.toString('utf8'), { maxDepth: MAX_DEPTH });
    if (parsed.isErr())
      return { type: 'invalid', message: parsed.error[0]?.message ?? 'the body is not JSON' };
    // The delivery stays longer than its event does.
    const known = await deliveryOf(asQueryable(db), trigger.triggerId, id);
    if (known !== null) return { type: 'delivered', delivery: known, duplicate: true };
    const event = { source: 'webhook', channel: name, eventId: id } as const;
    const fresh = await appendInboundEvents(asQueryable(db), [
      { ...event, eventType: typeOf(parsed.value), data: JSON.stringify(parsed.value) },
    ]);
    await router.routeOne(event);
    const delivery = await deliveryOf(asQueryable(db), trigger.triggerId, id);
    // Paused or deleted since it was read.
    if (delivery === null) return { type: 'refused' };
    return { type: 'delivered', delivery, duplicate: fresh === 0 };
  }
}

function isSigned(
  secret: string,
  body: Buffer,
  {
    id,
    timestamp,
    signature,
  }: { readonly id: string; readonly timestamp: string; readonly signature: string },
): boolean {
  const key = keyOf(secret);
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
  try {
    key.verify(body, headers, { jsonParse: false });
    return true;
  } catch {
    // Whatever it is, a stranger is told the same.
    return false;
  }
}

/** Standard Webhooks writes keys as whsec_ and base64; any other text is the key itself. */
function keyOf(secret: string): Webhook {
  try {
    return secret.startsWith('whsec_')
      ? new Webhook(secret)
      : new Webhook(Buffer.from(secret), { format: 'raw' });
  } catch {
    // The library's own message may quote the secret.
    throw new ConfigError('the secret of the webhook is no key: allowed are text, or whsec_ and base64');
  }
}

function typeOf(body: unknown): string {
  const type = typeof body === 'object' && body !== null && 'type' in body ? body.type : undefined;
  return typeof type === 'string' && /^[\w.:-]{1,100}$/.test(type) ? type : 'webhook';
}
