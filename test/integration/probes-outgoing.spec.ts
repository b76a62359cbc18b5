/** Who reaches out over HTTP, and who says where to: nothing that a request, a run or a file says, but by `guardedFetch`. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { buildOpenApiDocument } from '@spine/api';
import { operationsOf } from './openapi-support.ts';
import type { Json } from './api-support.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Files that open connections over HTTP themselves, with whoever chooses the address. */
const KNOWN: Readonly<Record<string, string>> = {
  'libs/cli/src/launch/until-ready.ts': 'the launcher: the process it has started',
  'libs/config/src/secrets/vault-backend.ts': 'the operator: SPINE_VAULT_ADDR; redirects are not followed',
  'libs/examples/src/filing-source.ts': 'a test: this machine alone; redirects are not followed',
  'libs/core/src/rolling/window.ts': 'nobody: its own argument is called fetch',
  'libs/execution/src/payload/payloads.ts': 'nobody: a function of its own is called fetch',
  'libs/execution/src/net/guarded-fetch.ts': 'anybody: the guard itself',
};
/** Clients of an API that their own user names. */
const CLIENTS = /^libs\/(sdk|cli|mcp)\//;

const REACHES_OUT =
  /(?<![.\w#])fetch\(|from '(?:undici|axios|got|ky|node-fetch)'|import \{[^}]*\b(?:request|get)\b[^}]*\} from 'node:https?'/;

describe('what reaches out over HTTP', () => {
  it('is known, and so is who says where to', () => {
    const files = globSync(['libs/**/src/**/*.ts', 'services/*/src/**/*.ts'], {
      cwd: ROOT,
      exclude: ['**/*.spec.ts', '**/node_modules/**', '**/dist/**', 'libs/testing/**'],
    });
    expect(files.length).toBeGreaterThan(300);
    const found = files.filter((file) => REACHES_OUT.test(readFileSync(`${ROOT}/${file}`, 'utf8')));
    // A new one: fetch by `guardedFetch` what others may choose, or name it above with who chooses.
    expect(found.filter((file) => !CLIENTS.test(file) && KNOWN[file] === undefined)).toEqual([]);
    for (const file of Object.keys(KNOWN)) expect(found).toContain(file);
  });

  it('is told no address by the API: no field of a request is one', async () => {
    const document = JSON.parse(JSON.stringify(await buildOpenApiDocument())) as Json;
    const schemas = document['components']?.['schemas'] ?? {};
    const seen = new Set<string>();
    const fieldsIn = (part: unknown): string[] => {
      if (Array.isArray(part)) return part.flatMap(fieldsIn);
      if (typeof part !== 'object' || part === null) return [];
      return Object.entries(part).flatMap(([key, value]: [string, unknown]) => {
        if (key === '$ref' && typeof value === 'string') {
          if (seen.has(value)) return [];
          seen.add(value);
          return fieldsIn(schemas[value.slice('#/components/schemas/'.length)]);
        }
        if (key === 'format' && /^(uri|iri|url)/.test(String(value))) return ['format: uri'];
        const names =
          key === 'properties' && typeof value === 'object' && value !== null ? Object.keys(value) : [];
        return [...names, ...(key === 'example' || key === 'examples' ? [] : fieldsIn(value))];
      });
    };
    const names = operationsOf(document).flatMap(({ operation }) => [
      ...fieldsIn(operation['requestBody']),
      ...Object.values(operation['parameters'] ?? {}).map((each) => String(each['name'])),
    ]);
    expect(names.length).toBeGreaterThan(200);
    const suspicious = names.filter((name) =>
      /ur[il]$|url_|endpoint|callback|host$|address|^format: uri/i.test(name),
    );
    expect([...new Set(suspicious)]).toEqual([]);
  });
});
