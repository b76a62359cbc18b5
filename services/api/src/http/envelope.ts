/** The shape of every success. */
import type { FastifyReply } from 'fastify';
import { z } from 'zod';

export interface Link {
  readonly rel: string;
  readonly href: string;
}

export interface EnvelopeExtras {
  readonly warnings?: readonly string[];
  readonly links?: readonly Link[];
}

export interface Envelope<T> {
  readonly data: T;
  readonly elapsed_ms: number;
  readonly warnings: readonly string[];
  readonly links: readonly Link[];
}

const NONE: readonly never[] = [];

/** Milliseconds since the request arrived, to the microsecond. */
export function elapsedMs(reply: FastifyReply): number {
  return Math.round(reply.elapsedTime * 1000) / 1000;
}

export function success<T>(reply: FastifyReply, data: T, extras: EnvelopeExtras = {}): Envelope<T> {
  return {
    data,
    elapsed_ms: elapsedMs(reply),
    warnings: extras.warnings ?? NONE,
    links: extras.links ?? NONE,
  };
}

/** 202 for work that was accepted and not done yet, with where to look for it. */
export function accepted<T>(
  reply: FastifyReply,
  data: T,
  self: string,
  warnings: readonly string[] = NONE,
): Envelope<T> {
  void reply.code(202).header('location', self);
  return success(reply, data, { warnings, links: [{ rel: 'self', href: self }] });
}

const link = z.object({ rel: z.string(), href: z.string() }).meta({ id: 'Link' });

const outside = {
  elapsed_ms: z.number().describe('Milliseconds this request took.'),
  warnings: z.array(z.string()),
  links: z.array(link),
};

export function envelopeOf<S extends z.ZodType>(data: S) {
  return z.object({ data, ...outside });
}

export const pageJson = z
  .object({
    total: z.int().describe('What matches, counted up to 10,000 where counting all would cost too much.'),
    total_is_capped: z.boolean().describe('True when there is more than `total`.'),
    limit: z.int(),
    offset: z.int(),
    has_more: z.boolean(),
    page: z.int().describe('From 1; of offset paging.'),
    total_pages: z.int(),
    has_prev: z.boolean(),
    next_cursor: z.string().nullable().describe('Pass as `cursor` for what follows; null at the end.'),
  })
  .meta({ id: 'Page' });

export function listOf<S extends z.ZodType>(item: S) {
  return z.object({ data: z.array(item), ...outside, page: pageJson });
}
