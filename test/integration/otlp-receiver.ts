/** A collector of traces: OTLP over HTTP as JSON, kept in memory. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';

const attribute = z.object({
  key: z.string(),
  value: z.object({
    stringValue: z.string().optional(),
    intValue: z.union([z.number(), z.string()]).optional(),
    doubleValue: z.number().optional(),
    boolValue: z.boolean().optional(),
  }),
});

const request = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(attribute) }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              name: z.string(),
              kind: z.int(),
              attributes: z.array(attribute).default([]),
              links: z.array(z.object({ traceId: z.string(), spanId: z.string() })).default([]),
              status: z.object({ code: z.int().optional() }).default({}),
            }),
          ),
        }),
      ),
    }),
  ),
});

type Value = string | number | boolean | undefined;

export interface ReceivedSpan {
  readonly service: Value;
  readonly resource: Readonly<Record<string, Value>>;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly attributes: Readonly<Record<string, Value>>;
  /** Ids of the spans. */
  readonly links: readonly string[];
  readonly failed: boolean;
}

export interface OtlpReceiver {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  readonly requests: { readonly path: string; readonly headers: Readonly<Record<string, unknown>> }[];
  /** What it answers from now on. Default 200. */
  answer(status: number): void;
  close(): Promise<void>;
}

const ERROR_STATUS = 2;

function record(attributes: readonly z.output<typeof attribute>[]): Record<string, Value> {
  return Object.fromEntries(
    attributes.map(({ key, value: { stringValue, intValue, doubleValue, boolValue } }) => [
      key,
      stringValue ?? (intValue === undefined ? (doubleValue ?? boolValue) : Number(intValue)),
    ]),
  );
}

function spansOf(body: unknown): ReceivedSpan[] {
  return request.parse(body).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const of = record(resource.attributes);
    return scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        service: of['service.name'],
        resource: of,
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? null,
        name: span.name,
        attributes: record(span.attributes),
        links: span.links.map(({ spanId }) => spanId),
        failed: span.status.code === ERROR_STATUS,
      })),
    );
  });
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  let status = 200;
  const spans: ReceivedSpan[] = [];
  const requests: OtlpReceiver['requests'] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      requests.push({ path: incoming.url ?? '', headers: incoming.headers });
      const body = Buffer.concat(chunks);
      const text = incoming.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
      if (status === 200) spans.push(...spansOf(JSON.parse(text.toString()) as unknown));
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    requests,
    answer: (next) => {
      status = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
