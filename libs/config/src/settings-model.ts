/** What settings are: the shapes that the rest of Spine sees. */
import type { RetentionPolicy } from '@spine/core';
import type { SpineFlags } from './flags/spine-flags.ts';
import type { Secret } from './secret.ts';
import type { EventBusChoice, LogLevel, TraceSampler } from './variables.ts';

/** Which process asks: `launcher` is `npm start`, `migrate` the one-shot migration. */
export const ROLES = ['launcher', 'api', 'worker', 'scheduler', 'migrate'] as const;
export type Role = (typeof ROLES)[number];

export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything configurable, validated. Folders are absolute. */
export interface Settings<R extends Role = Role> {
  readonly role: R;
  /** Which `.env.{tier}` was read; `standard` and `full` also say what has to be there. */
  readonly tier: string;
  readonly api: {
    readonly host: string;
    /** 0: any free port. */
    readonly port: number;
    /** True when the port was chosen by SPINE_PORT rather than by default. */
    readonly portIsExplicit: boolean;
    readonly keys: readonly Secret[];
    /** Local mode: no key is asked for. Only ever true on a loopback address without keys. */
    readonly open: boolean;
    /** Requests a minute of one key, and of one address without a key; 0 is off, as it is in local mode. */
    readonly rateLimitPerMinute: number;
    /** Event streams of one key at the same time, in one process; 0 is off, as it is in local mode. */
    readonly eventStreamsPerKey: number;
    /** Proxies before the API that are believed about the client's address. */
    readonly trustProxyHops: number;
  };
  readonly database: {
    /** Undefined only for the launcher: it then runs the embedded Postgres. */
    readonly url: 'launcher' extends R ? Secret | undefined : Secret;
    /** The same database as its owner: may migrate and dump it. Undefined: this process does neither. */
    readonly adminUrl: Secret | undefined;
    /** Most connections of this process. */
    readonly poolSize: number;
  };
  readonly backup: {
    /** Where backups are written; undefined: none are made. */
    readonly dir: string | undefined;
    /** What makes them: a program's name, or its absolute path. */
    readonly program: string;
  };
  readonly redis: {
    /** Undefined: the queue runs on Postgres. */
    readonly url: Secret | undefined;
  };
  readonly worker: {
    /** Processes the launcher starts. */
    readonly count: number;
    /** Runs of one process at the same time. */
    readonly concurrency: number;
    readonly lanes: readonly string[];
    /** What approvals of workflows are given by themselves for. */
    readonly environment: string;
    /** How long a worker holds a run without a heartbeat. */
    readonly leaseSeconds: number;
    /** Whether a run that the worker's own process submits may start there without the queue. */
    readonly eagerStart: boolean;
    /** For handlers that are registered by module. */
    readonly threads: {
      /** Undefined: one per core but one. */
      readonly count: number | undefined;
      /** Heap of each, in MiB. */
      readonly memoryMb: number;
      /** Absolute; undefined: where the deployed code lies. */
      readonly root: string | undefined;
    };
    /** Resident memory in MiB over which a worker is replaced by a fresh one; 0 is off. */
    readonly maxRssMb: number;
    /** Runs after which a worker is replaced by a fresh one; 0 is off. */
    readonly maxRuns: number;
  };
  readonly retention: {
    /** Finished runs older than this are deleted by the scheduler; undefined: never. */
    readonly days: number | undefined;
    /** After how many days the scheduler deletes rows of the data ledger, by table; empty: never. */
    readonly ledger: RetentionPolicy;
  };
  readonly log: { readonly level: LogLevel };
  readonly runLog: {
    /** Of the lines stored with runs. */
    readonly level: LogLevel;
  };
  readonly payloads: {
    /** Bytes of JSON up to which params and results stay in the run's row. */
    readonly inlineBytes: number;
    /** Bytes of JSON that params or a result may have. */
    readonly maxBytes: number;
    /** Where larger ones are kept; undefined: in Postgres. */
    readonly dir: string | undefined;
  };
  readonly eventBus: {
    /** Auto: Redis where there is one, else Postgres. */
    readonly backend: EventBusChoice;
  };
  readonly secrets: SecretSettings;
  /** Undefined: nothing is traced. */
  readonly tracing: TracingSettings | undefined;
  /** The flags of Spine itself, with what the environment says of them. */
  readonly flags: SpineFlags;
  readonly dataDir: string;
  readonly dataRoots: readonly string[];
  readonly shutdownGraceSeconds: number;
  /** Port for /health and /metrics of a worker or scheduler; undefined when off. */
  readonly healthPort: number | undefined;
  /** One line per SPINE_ variable that is set and means nothing. For the log at start. */
  readonly warnings: readonly string[];
}

/** Where traces go, and which. */
export interface TracingSettings {
  /** Of an OTLP/HTTP collector, without `/v1/traces`. */
  readonly endpoint: string;
  readonly headers: ReadonlyMap<string, Secret>;
  /** Undefined: named after the process. */
  readonly serviceName: string | undefined;
  readonly resourceAttributes: ReadonlyMap<string, string>;
  readonly sampler: TraceSampler;
  /** Of traces, from 0 to 1; for the `traceidratio` samplers. */
  readonly samplerRatio: number;
}

/** Where secrets are found. */
export interface SecretSettings {
  /** Absolute. */
  readonly dir: string;
  /** How long a secret is remembered; 0 is off. */
  readonly ttlSeconds: number;
  /** Undefined without an address. */
  readonly vault: VaultSettings | undefined;
  readonly aws: { readonly region: string | undefined; readonly endpoint: string | undefined };
}

export interface VaultSettings {
  readonly address: string;
  readonly token: Secret | undefined;
  /** Absolute. */
  readonly tokenFile: string | undefined;
  readonly namespace: string | undefined;
}

export interface LoadOptions<R extends Role = Role> {
  readonly role: R;
  /** Base of relative folders. Default: the working directory. */
  readonly cwd?: string;
  /** Variables whose values come out of a secret store: an error never quotes them. Default none. */
  readonly hidden?: ReadonlySet<string>;
}
