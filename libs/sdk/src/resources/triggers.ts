import { dataOf } from '../connection.ts';
import type { CallOptions, ChangeOptions, Connection } from '../connection.ts';
import type {
  ListDeliveriesData,
  ListTriggersData,
  ListWebhooksData,
  TriggerRequest,
} from '../generated/index.ts';
import { paged } from '../paging.ts';

/** What starts runs because something happened. */
export function triggers({ api, call }: Connection) {
  const path = (triggerId: string) => ({ path: { trigger_id: triggerId } });
  return {
    list: (query?: NonNullable<ListTriggersData['query']>, options?: CallOptions) =>
      paged(query, (query) => api.listTriggers({ ...call(options), query })),
    get: (triggerId: string, options?: CallOptions) =>
      dataOf(api.getTrigger({ ...call(options), ...path(triggerId) })),
    create: (body: TriggerRequest, options?: CallOptions) =>
      dataOf(api.createTrigger({ ...call(options), body })),
    replace: (triggerId: string, body: TriggerRequest, options?: ChangeOptions) =>
      dataOf(api.replaceTrigger({ ...call(options), ...path(triggerId), body })),
    delete: (triggerId: string, options?: CallOptions) =>
      dataOf(api.deleteTrigger({ ...call(options), ...path(triggerId) })),
    pause: (triggerId: string, options?: CallOptions) =>
      dataOf(api.pauseTrigger({ ...call(options), ...path(triggerId) })),
    resume: (triggerId: string, options?: CallOptions) =>
      dataOf(api.resumeTrigger({ ...call(options), ...path(triggerId) })),
    /** What came, and what was made of it. */
    deliveries: (
      triggerId: string,
      query?: NonNullable<ListDeliveriesData['query']>,
      options?: CallOptions,
    ) => paged(query, (query) => api.listDeliveries({ ...call(options), ...path(triggerId), query })),
    webhooks: (query?: NonNullable<ListWebhooksData['query']>, options?: CallOptions) =>
      paged(query, (query) => api.listWebhooks({ ...call(options), query })),
  };
}
