/**
 * Answers of reads over 1 KiB travel as gzip where the client takes it.
 *
 * Answers of other methods never do: some show a secret (a new key), and the size of a compressed answer that has both a
 * secret and something the caller chose tells of the secret (BREACH). No answer to GET has one. Event streams write to their
 * connection themselves and are not compressed either: each event would wait in the compressor's buffer.
 */
import compress from '@fastify/compress';
import type { FastifyInstance } from 'fastify';

/** Bytes below which the header costs more than is saved. */
const THRESHOLD = 1024;
/** Of 1 to 9. An answer is read once, by a machine that is mostly near. */
const LEVEL = 1;

/** Before any route is registered: it holds for those that come after. */
export async function compressAnswers(fastify: FastifyInstance): Promise<void> {
  fastify.addHook('onRoute', (route) => {
    const reads = [route.method].flat().every((method) => method === 'GET' || method === 'HEAD');
    if (!reads) route.compress = false;
  });
  await fastify.register(compress, {
    encodings: ['gzip'],
    threshold: THRESHOLD,
    zlibOptions: { level: LEVEL },
    // Bodies are taken as they are: see strict-body.ts.
    globalDecompression: false,
  });
}
