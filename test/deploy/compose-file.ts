import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';

const command = z.array(z.string());

const service = z.object({
  image: z.string().optional(),
  build: z.object({ context: z.string(), dockerfile: z.string(), target: z.string() }).optional(),
  command: command.optional(),
  container_name: z.string().optional(),
  user: z.string().optional(),
  privileged: z.boolean().optional(),
  network_mode: z.string().optional(),
  init: z.boolean().optional(),
  restart: z.string(),
  scale: z.number().optional(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  mem_limit: z.string().optional(),
  ports: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string().nullable()).default({}),
  volumes: z
    .array(
      z.union([
        z.string(),
        z.object({ source: z.string(), target: z.string(), read_only: z.boolean().optional() }),
      ]),
    )
    .default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: command }).optional(),
  stop_grace_period: z.string().optional(),
  logging: z.object({ driver: z.string(), options: z.record(z.string(), z.string()) }),
});

const composeFile = z.object({
  services: z.record(z.string(), service),
  volumes: z.record(z.string(), z.null()),
});

export type ComposeService = z.output<typeof service>;
export type ComposeFile = z.output<typeof composeFile>;

export function projectFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

/** Every `${...}` of a compose file, without what encloses it. */
export function variableUses(text: string): string[] {
  return [...text.matchAll(/\$\{([^}]*)\}/g)].map((match) => match[1] ?? '');
}

/** Replaces `${NAME:-default}` as compose does. */
export function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+)(?::-([^}]*))?\}/g, (_use, name: string, fallback: string | undefined) => {
    const value = env[name];
    return value === undefined || value === '' ? (fallback ?? '') : value;
  });
}

/** docker-compose.yml as compose reads it with these variables set. */
export function readCompose(env: Readonly<Record<string, string>> = {}): ComposeFile {
  const text = interpolate(readFileSync(projectFile('docker-compose.yml'), 'utf8'), env);
  return composeFile.parse(parse(text, { merge: true }));
}

export function serviceOf(compose: ComposeFile, name: string): ComposeService {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
  return found;
}

/** What a container has in its environment: a variable without a value is not set. */
export function environmentOf(given: ComposeService): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given.environment).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}

/** Seconds of a compose duration such as `30s`. */
export function seconds(duration: string | undefined): number {
  const value = /^(\d+)s$/.exec(duration ?? '')?.[1];
  if (value === undefined) throw new Error(`${duration} is not a number of seconds such as 30s`);
  return Number(value);
}
