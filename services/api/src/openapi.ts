/** Writes openapi.json at the root of the workspace; part of the build. */
import { writeFileSync } from 'node:fs';
import { buildOpenApiDocument } from './openapi/build.ts';

const target = new URL('../../../openapi.json', import.meta.url);
writeFileSync(target, `${JSON.stringify(await buildOpenApiDocument(), null, 2)}\n`);
