/** Where everything lives below the directory of a one-box deployment. Every directory is 0700. */
import fs from 'node:fs';
import path from 'node:path';

export const services = ['moray', 'storage', 'frontdoor', 'supervisor', 'agent', 'archiver'] as const;
export type ServiceName = (typeof services)[number];

export interface Layout {
  readonly data: string;
  readonly box: string;
  readonly accounts: string;
  readonly ports: string;
  readonly tokenKey: string;
  readonly lock: string;
  readonly readyFile: string;
  readonly agentSocket: string;
  readonly keyFile: string;
  readonly home: string;
  config(service: ServiceName): string;
  log(service: ServiceName): string;
  storageRoot(storageId: string): string;
}

export function layoutOf(dataDirectory: string): Layout {
  const data = path.resolve(dataDirectory);
  const at = (...names: string[]) => path.join(data, ...names);
  return {
    data,
    box: at('box.json'),
    accounts: at('accounts.json'),
    ports: at('etc', 'ports.json'),
    tokenKey: at('etc', 'token.key'),
    lock: at('run', 'lock'),
    readyFile: at('run', 'ready.json'),
    agentSocket: at('run', 'agent.sock'),
    keyFile: at('etc', 'id_rsa'),
    home: at('home'),
    config: (service) => at('etc', `${service}.json`),
    log: (service) => at('log', `${service}.log`),
    storageRoot: (storageId) => at('storage', storageId),
  };
}

/** Makes the directories that `up` itself writes to. Safe to repeat. @returns those that were not there, in order. */
export function makeDirectories(layout: Layout): readonly string[] {
  return ['', 'etc', 'log', 'moray', 'run', 'storage', 'zones'].flatMap((name) =>
    makeDirectory(path.join(layout.data, name)),
  );
}

/** With those above it. Not Node's `recursive`: that tries for ever where the system refuses with ENOENT, as in /proc. */
function makeDirectory(directory: string): readonly string[] {
  if (fs.statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) return [];
  const parent = path.dirname(directory);
  const made = parent === directory ? [] : makeDirectory(parent);
  fs.mkdirSync(directory, { mode: 0o700 });
  return [...made, directory];
}

/**
 * Takes back what `makeDirectories` made for a box of which no service has run yet: the directories above it only if
 * nothing else is in them.
 */
export function removeMade(layout: Layout, made: readonly string[]): void {
  if (!made.includes(layout.data)) return;
  fs.rmSync(layout.data, { recursive: true, force: true });
  try {
    for (const directory of made.slice(0, made.indexOf(layout.data)).reverse()) fs.rmdirSync(directory);
  } catch {
    // somebody else uses it
  }
}

/** Replaces a file as a whole: a reader, or a crash, sees the old content or the new. */
export function writeWhole(file: string, content: string, mode = 0o600): void {
  const temporary = `${file}.${process.pid}.new`;
  fs.writeFileSync(temporary, content, { mode });
  fs.renameSync(temporary, file);
}
