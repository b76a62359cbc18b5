/** What every command works with. Made once a call; reads nothing before it is asked. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadCliSettings, Secret, takesColour } from '@spine/config';
import type { CliSettings } from '@spine/config';
import { createSpineClient } from '@spine/sdk';
import type { SpineClient } from '@spine/sdk';
import { LOCK_NAME } from '../launch/lock-record.ts';
import { confirmed } from './confirm.ts';
import type { CliIo } from './io.ts';
import { Notices } from './notices.ts';
import { Output } from './output.ts';
import { Options } from './options.ts';
import { NO_PAINT, PAINT } from './table.ts';
import type { Paint } from './table.ts';
import { UsageError } from './usage-error.ts';

/** Longest key file; a key has some 100 characters. */
const MAX_KEY_FILE = 4_096;

/** What says where the API is: `--url`, SPINE_URL, the lock of a system that runs here, or nothing. */
export type UrlOrigin = 'option' | 'settings' | 'launcher' | 'default';

export interface Target {
  /** Without `/api/v1`. */
  readonly url: string;
  readonly origin: UrlOrigin;
  /** Undefined: none is sent. */
  readonly apiKey: Secret | undefined;
}

export class CliContext {
  readonly io: CliIo;
  #options = new Options({});
  #out: Output | undefined;
  #notices: Notices | undefined;
  #settings: Promise<CliSettings> | undefined;
  #client: Promise<SpineClient> | undefined;
  #signal: AbortSignal | undefined;

  constructor(io: CliIo) {
    this.io = io;
  }

  /** Called once the command line is understood, with the options that every command has. */
  configure(options: Options): void {
    this.#options = options;
  }

  /** Standard output. */
  get out(): Output {
    this.#out ??= new Output(this.io.stdout, {
      json: this.#options.flag('json'),
      paint: this.#paintOf(this.io.stdout.isTTY === true),
    });
    return this.#out;
  }

  /** Standard error: notes and progress. */
  get notices(): Notices {
    this.#notices ??= new Notices(this.io.stderr, {
      paint: this.#paintOf(this.io.stderr.isTTY === true),
      quiet: this.#options.flag('json'),
    });
    return this.#notices;
  }

  /** Aborts at Ctrl-C, and when whoever reads the output has gone. */
  get signal(): AbortSignal {
    this.#signal ??= AbortSignal.any([this.io.interrupts(), this.out.closed]);
    return this.#signal;
  }

  /**
   * The API of {@link target}, with its key.
   * @throws UsageError, ConfigError, SpineConfigError
   */
  readonly client = (): Promise<SpineClient> => {
    this.#client ??= this.#connect();
    return this.#client;
  };

  /** @throws UsageError where nobody can be asked, Interrupted */
  readonly confirm = (question: string, yes: boolean): Promise<boolean> => confirmed(this.io, question, yes);

  /**
   * The API of `--url`, else of SPINE_URL, else the one that `start` runs in this folder, else the default; and the key of
   * `--key-file` or SPINE_API_KEY.
   * @throws UsageError, ConfigError
   */
  async target(): Promise<Target> {
    const file = this.#options.text('keyFile');
    const fromFile = file === undefined ? undefined : this.#readKey(file);
    const settings = await this.#loadSettings();
    return { ...(await this.#place(settings)), apiKey: fromFile ?? settings.apiKey };
  }

  async #place(settings: CliSettings): Promise<Omit<Target, 'apiKey'>> {
    const given = this.#options.text('url');
    if (given !== undefined) return { url: given, origin: 'option' };
    if (settings.urlIsSet) return { url: settings.url, origin: 'settings' };
    // Mostly nothing runs here, and then nothing about processes has to be loaded.
    const hasLock = existsSync(join(settings.dataDir, LOCK_NAME));
    const local = hasLock ? (await import('../launch/local-url.ts')).localUrl(settings.dataDir) : null;
    return local === null ? { url: settings.url, origin: 'default' } : { url: local, origin: 'launcher' };
  }

  async #connect(): Promise<SpineClient> {
    const { url, apiKey } = await this.target();
    return createSpineClient({
      baseUrl: url,
      apiKey: () => apiKey?.reveal() ?? null,
      headers: { 'user-agent': 'spine-cli' },
    });
  }

  #loadSettings(): Promise<CliSettings> {
    const { cwd, env } = this.io;
    this.#settings ??= loadCliSettings({ cwd, ...(env === undefined ? {} : { env }) });
    return this.#settings;
  }

  #readKey(file: string): Secret {
    let text: string;
    try {
      text = readFileSync(resolve(this.io.cwd, file), 'utf8').trim();
    } catch (error) {
      throw new UsageError(`--key-file ${file} cannot be read: ${(error as Error).message}`, {
        cause: error,
      });
    }
    // The text itself is not quoted: it may be another secret.
    if (text.length > MAX_KEY_FILE || !/^[\x21-\x7e]+$/.test(text)) {
      throw new UsageError(`--key-file ${file} must hold one key and nothing else`);
    }
    return new Secret(text);
  }

  #paintOf(isTerminal: boolean): Paint {
    return !this.#options.flag('json') && takesColour(isTerminal, this.io.env) ? PAINT : NO_PAINT;
  }
}
