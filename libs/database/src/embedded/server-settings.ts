import { EmbeddedPostgresError } from './errors.ts';

/** Fits a machine with 2 cores and a few GB that runs the services as well. */
const DEFAULTS: Readonly<Record<string, string>> = {
  shared_buffers: '256MB',
  max_connections: '200',
  max_wal_size: '4GB',
  checkpoint_completion_target: '0.9',
  wal_compression: 'off',
  // Queries of a queue are short: compiling them costs more than running them.
  jit: 'off',
  random_page_cost: '1.1',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] ',
  // Lets role spine, which may create roles, use the roles it creates.
  createrole_self_grant: 'set, inherit',
};

export interface ServerSettings {
  readonly port: number;
  readonly durable: boolean;
  readonly extra: Readonly<Record<string, string>>;
}

/**
 * The text of spine.conf, which the cluster's postgresql.conf includes last.
 * @throws EmbeddedPostgresError for a setting whose name or value cannot stand in that file.
 */
export function renderServerSettings({ port, durable, extra }: ServerSettings): string {
  const onOrOff = durable ? 'on' : 'off';
  const all: Record<string, string> = {
    ...DEFAULTS,
    ...extra,
    port: String(port),
    listen_addresses: '127.0.0.1',
    // No socket file: its path would have to be short, private and writable for the database user.
    unix_socket_directories: '',
    fsync: onOrOff,
    synchronous_commit: onOrOff,
    full_page_writes: onOrOff,
  };
  const lines = Object.entries(all).map(([name, value]) => {
    if (!/^[a-z_][a-z0-9_.]*$/i.test(name)) {
      throw new EmbeddedPostgresError(`"${name}" is not the name of a Postgres setting`);
    }
    if (/[\r\n\0]/.test(value)) {
      throw new EmbeddedPostgresError(`The value of the Postgres setting ${name} holds a line break or NUL`);
    }
    return `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
  });
  return `# Written at every start; put your own settings into postgresql.auto.conf (ALTER SYSTEM).\n${lines.join('\n')}\n`;
}
