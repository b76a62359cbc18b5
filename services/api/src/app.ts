/** The application: Nest over the engine, not yet listening. Tests run it in process. */
import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { SwaggerModule } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import type { Example } from '@spine/catalog';
import type { Settings, ShownVariable } from '@spine/config';
import { ConfigError } from '@spine/core';
import type { Engine } from '@spine/execution';
import { PlaygroundHandlers, PlaygroundSessions } from '@spine/orchestration';
import { tradingCalendars } from '@spine/reference-calendar';
import { EventRouter, ScheduleManager, WebhookReceiver } from '@spine/scheduling';
import { AuditWriter } from './audit/record.ts';
import { createAdmission } from './auth/admission.ts';
import { KeyDirectory } from './auth/key-directory.ts';
import { RateLimits } from './auth/rate-limits.ts';
import { RouteAccess } from './auth/route-access.ts';
import { mountBoard } from './board/board.ts';
import { CONTROLLERS } from './controllers.ts';
import { compressAnswers } from './http/compression.ts';
import { ProblemFilter } from './http/problem.filter.ts';
import { SchemaPipe } from './http/schema.pipe.ts';
import { createServer } from './http/server.ts';
import type { Route } from './http/server.ts';
import { submitBodyBytes } from './http/to-problem.ts';
import { NestLogger } from './nest-logger.ts';
import { createDocument } from './openapi/document.ts';
import {
  ENGINE,
  EXAMPLE_LIST,
  PLAYGROUND,
  KEYS,
  LOGGER,
  SCHEDULES,
  SETTINGS,
  VARIABLES,
  WEBHOOKS,
} from './tokens.ts';

export interface AppOptions {
  readonly settings: Settings<'api'>;
  /** Stays the caller's: it is closed after the app. */
  readonly engine: Engine;
  /** The secret a reference names, for webhooks. Default: there are none. */
  readonly resolveSecret?: (reference: string) => Promise<string>;
  /** What GET /examples lists. Default: nothing. */
  readonly examples?: readonly Example[];
  /** What GET /database/config shows of the settings. Default: nothing. */
  readonly variables?: readonly ShownVariable[];
}

export interface ApiApp {
  readonly fastify: FastifyInstance;
  /** Every route, the documentation's and the board's too. */
  readonly routes: readonly Route[];
  /** What each of them asks for. */
  readonly access: RouteAccess;
  /**
   * Starts to accept requests where the settings say; answers with the base URL.
   * @throws ConfigError when the address cannot be listened on.
   */
  listen(): Promise<string>;
  /**
   * Stops accepting, and waits up to `graceMs` for requests under way before it cuts them. Default: two seconds less than
   * the shutdown grace.
   */
  close(graceMs?: number): Promise<void>;
}

function noSecrets(reference: string): Promise<never> {
  return Promise.reject(new ConfigError(`${reference}: this process resolves no secrets`));
}

function moduleOf(
  { settings, engine, resolveSecret = noSecrets, examples = [], variables = [] }: AppOptions,
  keys: KeyDirectory,
) {
  const router = new EventRouter(engine);
  const playgroundHandlers = new PlaygroundHandlers(engine.registry);
  class ApiModule {}
  Module({
    controllers: CONTROLLERS,
    providers: [
      { provide: ENGINE, useValue: engine },
      { provide: LOGGER, useValue: engine.logger },
      { provide: SETTINGS, useValue: settings },
      { provide: VARIABLES, useValue: variables },
      { provide: KEYS, useValue: keys },
      { provide: PLAYGROUND, useValue: new PlaygroundSessions(engine.db, playgroundHandlers) },
      { provide: EXAMPLE_LIST, useValue: examples },
      { provide: SCHEDULES, useValue: new ScheduleManager({ ...engine, calendars: tradingCalendars() }) },
      { provide: WEBHOOKS, useValue: new WebhookReceiver({ db: engine.db, router, resolveSecret }) },
    ],
  })(ApiModule);
  return ApiModule;
}

export async function createApp(options: AppOptions): Promise<ApiApp> {
  const { settings, engine } = options;
  const { logger, metrics } = engine;
  const access = new RouteAccess(CONTROLLERS);
  const keys = new KeyDirectory({
    db: engine.pool,
    onError: (error) => logger.debug({ err: error }, 'the use of a key was not noted'),
  });
  const limits = new RateLimits({
    perMinute: settings.api.rateLimitPerMinute,
    redisUrl: settings.api.open ? null : (settings.redis.url?.reveal() ?? null),
    logger,
  });
  const { adapter, routes } = createServer({
    admission: createAdmission({ settings: settings.api, access, keys, limits, db: engine.pool, logger }),
    access,
    audit: new AuditWriter({ db: engine.pool, access, logger }),
    trustProxyHops: settings.api.trustProxyHops,
    logger,
    metrics,
    submitBodyBytes: submitBodyBytes(engine.payloads.limits.maxBytes),
  });
  const fastify = adapter.getInstance();
  await limits.open(fastify);
  await compressAnswers(fastify);
  const app = await NestFactory.create<NestFastifyApplication>(moduleOf(options, keys), adapter, {
    logger: new NestLogger(logger),
    bodyParser: false,
    abortOnError: false,
  });
  app.useGlobalFilters(new ProblemFilter(logger));
  app.useGlobalPipes(new SchemaPipe());
  // Without CORS a page of another site cannot read answers; this keeps it from sending what changes something.
  app.enableCsrfProtection();
  mountDocumentation(app);
  await app.init();
  // After Nest has set its error handler, which the board's part of the server inherits.
  await mountBoard(adapter, engine, settings.worker.lanes);
  await fastify.ready();
  access.check(routes);
  return {
    fastify,
    routes,
    access,
    listen: () => listen(app, settings.api),
    close: async (graceMs = graceFor(settings)) => {
      await close(app, graceMs);
      limits.close();
    },
  };
}

/** What is left of the grace is the engine's, which still sends what it has accepted. */
function graceFor(settings: Settings<'api'>): number {
  return Math.max(0, settings.shutdownGraceSeconds - 2) * 1000;
}

function mountDocumentation(app: NestFastifyApplication): void {
  SwaggerModule.setup('docs', app, () => createDocument(app), {
    jsonDocumentUrl: 'docs/openapi.json',
    yamlDocumentUrl: 'docs/openapi.yaml',
    customSiteTitle: 'Spine API',
    // The validator badge would send the document's address to a third party.
    swaggerOptions: { validatorUrl: 'none', displayRequestDuration: true },
  });
}

const LISTEN_FAULTS: Readonly<Record<string, (host: string, port: number) => string>> = {
  EADDRINUSE: (host, port) =>
    `SPINE_PORT: port ${port} of ${host} is in use by another program. ` +
    `Stop that program, or name another port: SPINE_PORT=${port < 65_535 ? port + 1 : port - 1}; SPINE_PORT=0 takes any free one.`,
  EACCES: (host, port) =>
    `SPINE_PORT: this user may not listen on port ${port} of ${host}. Name a port from 1024 on, for example SPINE_PORT=3000.`,
  EADDRNOTAVAIL: (host) => `SPINE_HOST: ${host} is not an address of this machine.`,
  ENOTFOUND: (host) => `SPINE_HOST: the name ${host} is not known.`,
};

async function listen(app: NestFastifyApplication, { host, port }: Settings['api']): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const message = LISTEN_FAULTS[code]?.(host, port);
    throw message === undefined ? error : new ConfigError(message, { cause: error });
  }
  const address = app.getHttpServer().address();
  return baseUrl(host, isAddress(address) ? address.port : port);
}

function isAddress(address: unknown): address is AddressInfo {
  return typeof address === 'object' && address !== null && 'port' in address;
}

/** Where a person or program on this machine reaches it. */
function baseUrl(host: string, port: number): string {
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

async function close(app: NestFastifyApplication, graceMs: number): Promise<void> {
  const timer = setTimeout(() => app.getHttpServer().closeAllConnections(), graceMs);
  try {
    await app.close();
  } finally {
    clearTimeout(timer);
  }
}
