/** What commands work with. A connection is made when a command asks for it. */
import { spawn } from 'node:child_process';
import uuid from 'node-uuid';
import VError from 'verror';
import type { Clock } from '../common/clock.js';
import { createLogger } from '../common/logging.js';
import { createJobs } from '../jobs/jobs.js';
import type { JobStore } from '../jobs/store.js';
import type { Jobs } from '../jobs/types.js';
import { connectMoray } from '../moray/client/client.js';
import type { MorayClient } from '../moray/client/types.js';
import { defaultBuckets } from '../records/buckets.js';
import type { Command } from './command.js';
import { morayUrl } from './moray-url.js';

export interface CliContext {
  /** @throws VError: `failed to connect: …`. */
  readonly jobs: () => Promise<Jobs>;
  /** @param host instead of the environment's `MORAY_URL`. */
  readonly store: (host?: string) => Promise<JobStore>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly stdin: AsyncIterable<Buffer | string>;
  readonly isTerminal: boolean;
  /** From now on the first interrupt aborts the signal, and only a second one ends the process. */
  readonly interrupted: () => AbortSignal;
  /** Runs another command with the given input; its standard error is ours. */
  readonly exec: (command: string, args: readonly string[], input?: string) => Promise<Executed>;
}

export interface Executed {
  /** 127 when there is no such command. */
  readonly status: number;
  readonly stdout: string;
}

export type CliCommand = Command<CliContext>;

export interface OwnedContext extends CliContext {
  close(): Promise<void>;
}

export interface ContextParts {
  readonly clock: Clock;
  readonly stdin?: AsyncIterable<Buffer | string>;
  readonly isTerminal?: boolean;
  readonly interrupted?: () => AbortSignal;
}

export function createContext(env: CliContext['env'], parts: ContextParts): OwnedContext {
  const { clock, stdin = process.stdin, isTerminal = false, interrupted = () => new AbortController().signal } = parts;
  let client: MorayClient | undefined;
  const store = async (host?: string): Promise<JobStore> => {
    const log = createLogger({ name: 'marlin', level: env['LOG_LEVEL'] ?? 'error', stream: process.stderr });
    try {
      client ??= await connectMoray({ url: morayUrl(host ?? env['MORAY_URL']), log, failFast: true });
    } catch (error) {
      throw new VError({ name: 'ConnectError', cause: error as Error }, 'failed to connect');
    }
    return { moray: client, buckets: defaultBuckets, clock, newId: uuid.v4 };
  };
  return {
    env,
    clock,
    stdin,
    isTerminal,
    interrupted,
    store,
    jobs: async () => createJobs({ ...(await store()), images: [] }),
    exec: (command, args, input = '') => execute(env, command, args, input),
    async close() {
      await client?.close();
    },
  };
}

function execute(env: CliContext['env'], command: string, args: readonly string[], input: string): Promise<Executed> {
  return new Promise((resolve) => {
    const child = spawn(command, [...args], { env: { ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stdin.on('error', () => {}); // it need not read what it is given
    child.stdin.end(input);
    child.on('error', () => resolve({ status: 127, stdout }));
    child.on('close', (code) => resolve({ status: code ?? 1, stdout }));
  });
}
