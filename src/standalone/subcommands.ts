/**
 * The subcommands of `marlin`, as a table: usage, help, manual page and completion come from it. Each row loads only what
 * it needs, so that a service starts fast, and what one of them lacks cannot stop another.
 */
import { once } from 'node:events';
import type { Option as OptionConfiguration } from 'dashdash';

/** One line: what `marlin` is for. */
export const summary = 'Runs Marlin: a whole one on this machine, or one of its services.';

export interface Subcommand {
  readonly name: string;
  readonly args: string;
  readonly help: string;
  readonly options: readonly OptionConfiguration[];
  /** Whether it works on until it is stopped: what it prints is not what it is for. */
  readonly isService?: true;
  /** Whether there may be arguments beside the options. */
  readonly operands?: boolean;
  /** Resolves to the exit status. Throws `UsageError` for arguments that it cannot use. */
  readonly run: (options: Options, args: readonly string[]) => Promise<number>;
}

/** Values by their long name; what was not given is undefined. */
export type Options = Readonly<Record<string, unknown>>;

/** Arguments that cannot be used: the usage is shown, and the exit status is 2. */
export class UsageError extends Error {}

const dataOption: OptionConfiguration = {
  names: ['data', 'd'],
  type: 'string',
  helpArg: 'DIR',
  help: 'Directory of the deployment.',
};
const driverOption: OptionConfiguration = {
  names: ['driver'],
  type: 'string',
  helpArg: 'NAME',
  help: 'How commands are isolated: auto, oci or process.',
  default: 'auto',
};

export const subcommands: readonly Subcommand[] = [
  service('moray', async () => (await import('../moray/server/service.js')).main),
  service('storage', async () => (await import('../storage/service.js')).main),
  service('frontdoor', async () => (await import('../frontdoor/service.js')).main),
  service('supervisor', async () => (await import('../supervisor/service.js')).main),
  service('agent', async () => (await import('../agent/service.js')).main),
  service('archiver', async () => (await import('../archiver/service.js')).main),
  {
    name: 'up',
    args: '--data DIR',
    help: 'Run a whole Marlin on this machine, in the foreground.',
    isService: true,
    options: [
      dataOption,
      { names: ['port-base'], type: 'integer', helpArg: 'N', help: 'First of ten ports; 0 picks free ones.' },
      { names: ['zones'], type: 'positiveInteger', helpArg: 'N', help: 'How many commands run at once.' },
      driverOption,
      {
        names: ['images'],
        type: 'string',
        helpArg: 'DIR',
        help: 'Root file systems that jobs may ask for, one directory each, called NAME-VERSION.',
      },
      { names: ['account'], type: 'string', helpArg: 'LOGIN', help: 'The account; the calling user by default.' },
      {
        names: ['key'],
        type: 'string',
        helpArg: 'FILE.pub',
        help: 'Its public key; one of yours, or a new one, by default.',
      },
      { names: ['ready-file'], type: 'string', helpArg: 'F', help: 'Written when all services answer: JSON.' },
      { names: ['host'], type: 'string', helpArg: 'ADDRESS', help: 'Address to listen on.', default: '127.0.0.1' },
    ],
    run: runUp,
  },
  {
    name: 'env',
    args: '--data DIR',
    help: 'Print what a shell needs to use it: eval "$(marlin env …)".',
    options: [dataOption],
    run: runEnv,
  },
  {
    name: 'status',
    args: '--data DIR',
    help: 'Show which services answer, and how full the disk is; exit status 3: not all do; 4: too full.',
    options: [dataOption, { names: ['json'], type: 'bool', help: 'As JSON.' }],
    run: runStatus,
  },
  {
    name: 'down',
    args: '--data DIR',
    help: 'Stop what "marlin up" started, and wait until it has.',
    options: [
      dataOption,
      { names: ['timeout'], type: 'positiveInteger', helpArg: 'SECONDS', help: 'How long to wait; 60 by default.' },
    ],
    run: runDown,
  },
  {
    name: 'backup',
    args: '--data DIR FILE.tar',
    operands: true,
    help: 'Write everything that is worth keeping to a file, also while Marlin is up.',
    options: [dataOption],
    async run(options, args) {
      const { backUpBox } = await import('./operate/backup.js');
      await backUpBox(requireData(options), onlyFile(args));
      return 0;
    },
  },
  {
    name: 'restore',
    args: '--data DIR FILE.tar',
    operands: true,
    help: 'Make a directory of such a file, for "marlin up".',
    options: [dataOption],
    async run(options, args) {
      const { restoreBox } = await import('./operate/backup.js');
      restoreBox(requireData(options), onlyFile(args));
      return 0;
    },
  },
  {
    name: 'account',
    args: '(--data DIR | --file FILE) VERB',
    operands: true,
    help: `Who may use it: list | add LOGIN [FILE.pub] | remove LOGIN
        | key list|add|remove LOGIN[/USER] [FILE.pub|FINGERPRINT] | user list|add|remove LOGIN [USER [FILE.pub]]
        | policy list|add|set|remove LOGIN [NAME [RULE ...]] | role list|add|set|remove LOGIN [NAME [POLICY ...]]
        | role grant|revoke LOGIN ROLE USER.`.replaceAll(/\s+/g, ' '),
    options: [
      dataOption,
      { names: ['file', 'f'], type: 'string', helpArg: 'FILE', help: 'The account file, where it is elsewhere.' },
      { names: ['operator'], type: 'bool', help: 'add: may see and change everything.' },
      {
        names: ['uuid'],
        type: 'string',
        helpArg: 'UUID',
        help: 'add: the account that was removed, with its objects.',
      },
      { names: ['on-request'], type: 'bool', help: 'role grant: counts only for requests that name the role.' },
      { names: ['json'], type: 'bool', help: 'Lists: one JSON object per line.' },
    ],
    run: runAccount,
  },
  {
    name: 'config',
    args: 'check FILE | reference',
    operands: true,
    help: 'Check a configuration file, or print all that can be in one.',
    options: [
      { names: ['service'], type: 'string', helpArg: 'NAME', help: 'By default what the file is named after.' },
    ],
    run: runConfig,
  },
  {
    name: 'demo',
    args: '',
    help: 'Start one, run a map-reduce job over real files, show the result, stop.',
    options: [driverOption, { names: ['all'], type: 'bool', help: 'Print the whole index.' }],
    run: runDemoCommand,
  },
  {
    name: 'token',
    args: '',
    help: 'Print a token for "mrjob submit -t" (MANTA_URL, MANTA_USER, MANTA_KEY_ID).',
    options: [],
    run: runToken,
  },
];

function service(name: string, load: () => Promise<(configFile: string) => Promise<void>>): Subcommand {
  return {
    name,
    args: 'CONFIG',
    operands: true,
    help: `Run the service "${name}" with a configuration file.`,
    isService: true,
    options: [],
    async run(_options, [configFile, ...rest]) {
      if (configFile === undefined || rest.length > 0) throw new UsageError('one configuration file is required');
      const main = await load();
      await main(configFile);
      return 0;
    },
  };
}

async function runUp(options: Options): Promise<number> {
  const { startBox } = await import('./up.js');
  const portBase = await portBaseOf(options);
  const toldToStop = new AbortController();
  const asked = once(toldToStop.signal, 'abort');
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => toldToStop.abort());
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const starting = startBox({
    data: requireData(options),
    portBase,
    zoneCount: options['zones'] as number | undefined,
    driver: driverOf(options),
    imagesDir: options['images'] as string | undefined,
    account: options['account'] as string | undefined,
    publicKeyFile: options['key'] as string | undefined,
    readyFile: options['ready_file'] as string | undefined,
    host: options['host'] as string,
    say,
    signal: toldToStop.signal,
  }).catch((error: unknown) => {
    if (!toldToStop.signal.aborted) throw error;
    say('stopped while it started');
    return undefined;
  });
  const box = await starting;
  if (box === undefined) return 0;
  const data = options['data'] as string;
  say(
    `Marlin is up at ${box.ready().manta.url} for ${box.ready().manta.user}; in another shell: eval "$(marlin env --data ${data})"`,
  );
  await asked;
  say('stopping');
  await box.stop();
  return 0;
}

async function runEnv(options: Options): Promise<number> {
  const { exportLines, readReadyBox } = await import('./environment.js');
  process.stdout.write(exportLines(readReadyBox(requireData(options))));
  return 0;
}

async function runStatus(options: Options): Promise<number> {
  const { boxStatus, exitStatusOf, statusLines } = await import('./operate/status.js');
  const data = requireData(options);
  const status = await boxStatus(data);
  const lines = options['json'] === true ? [JSON.stringify(status)] : statusLines(data, status);
  process.stdout.write(`${lines.join('\n')}\n`);
  return exitStatusOf(status);
}

async function runDown(options: Options): Promise<number> {
  const { stopBox } = await import('./operate/down.js');
  const data = requireData(options);
  const pid = await stopBox(data, Number(options['timeout'] ?? 60) * 1000);
  process.stdout.write(pid === undefined ? `nothing was up in "${data}"\n` : `stopped (pid ${pid})\n`);
  return 0;
}

async function runConfig(options: Options, [verb, ...rest]: readonly string[]): Promise<number> {
  if (verb === 'reference' && rest.length === 0) {
    const { configReference } = await import('./operate/config-reference.js');
    process.stdout.write(configReference());
    return 0;
  }
  if (verb !== 'check') throw new UsageError('"check FILE" or "reference" is required');
  const { checkConfig } = await import('./operate/config-check.js');
  const file = onlyFile(rest);
  const { service, unknownKeys } = checkConfig(file, options['service'] as string | undefined);
  for (const key of unknownKeys) process.stdout.write(`${file}: "${key}" is not known to ${service}: ignored\n`);
  process.stdout.write(`${file}: good for ${service}\n`);
  return 0;
}

async function runAccount(options: Options, args: readonly string[]): Promise<number> {
  const { accountCommand } = await import('./operate/account.js');
  const { layoutOf } = await import('./layout.js');
  const command = accountCommand(args);
  if (command === undefined) throw new UsageError(`"${args.join(' ')}" is not such a command`);
  const file = options['file'] as string | undefined;
  if (file === undefined && options['data'] === undefined)
    throw new UsageError('--data DIR or --file FILE is required');
  await command({
    file: file ?? layoutOf(requireData(options)).accounts,
    mayMakeFile: file !== undefined, // beside its services a directory has one already, or is not the one that was meant
    isOperator: options['operator'] === true,
    uuid: options['uuid'] as string | undefined,
    onRequest: options['on_request'] === true,
    isJson: options['json'] === true,
    print: (line) => void process.stdout.write(`${line}\n`),
  });
  return 0;
}

function onlyFile(args: readonly string[]): string {
  const [file, ...more] = args;
  if (file === undefined || more.length > 0) throw new UsageError('one file is required');
  return file;
}

async function runDemoCommand(options: Options): Promise<number> {
  const { runDemo } = await import('./demo/demo.js');
  return runDemo({ driver: driverOf(options), all: options['all'] === true });
}

async function runToken(): Promise<number> {
  const { connectManta } = await import('./manta-client.js');
  const { requestToken } = await import('./token.js');
  const [url, user, keyId] = ['MANTA_URL', 'MANTA_USER', 'MANTA_KEY_ID'].map((name) => {
    const value = process.env[name];
    if (value === undefined || value === '') throw new UsageError(`${name} must be set`);
    return value;
  }) as [string, string, string];
  const manta = connectManta({ url, user, keyId }, undefined);
  try {
    process.stdout.write(`${await requestToken(manta, url)}\n`);
    return 0;
  } finally {
    manta.close();
  }
}

function requireData(options: Options): string {
  const data = options['data'];
  if (typeof data !== 'string' || data === '') throw new UsageError('--data DIR is required');
  return data;
}

/** @throws before anything is kept: a directory whose ports cannot be used would not start ever after. */
async function portBaseOf(options: Options): Promise<number | undefined> {
  const { highestPortBase } = await import('./ports.js');
  const base = options['port_base'] as number | undefined;
  if (base === undefined || (base >= 0 && base <= highestPortBase)) return base;
  throw new UsageError(`--port-base: must be 0 to ${highestPortBase}, is ${base}`);
}

function driverOf(options: Options): 'auto' | 'oci' | 'process' {
  const driver = options['driver'];
  if (driver === 'auto' || driver === 'oci' || driver === 'process') return driver;
  throw new UsageError(`--driver: "${String(driver)}" is none of auto, oci, process`);
}
