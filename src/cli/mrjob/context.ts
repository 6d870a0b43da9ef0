/** What the subcommands of mrjob work with. The connection is made when one asks for it. */
import uuid from 'node-uuid';
import VError from 'verror';
import type { Clock } from '../../common/clock.js';
import { createLogger } from '../../common/logging.js';
import { createJobs } from '../../jobs/jobs.js';
import type { Jobs } from '../../jobs/types.js';
import { connectMoray } from '../../moray/client/client.js';
import type { MorayClient } from '../../moray/client/types.js';
import { defaultBuckets } from '../../records/buckets.js';
import type { Command } from '../command.js';
import { morayUrl } from '../moray-url.js';

export interface MrjobContext {
  /** @throws VError: `failed to connect: …`. */
  readonly jobs: () => Promise<Jobs>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
}

export type MrjobCommand = Command<MrjobContext>;

/** Arguments of the subcommands that work on one job. */
export const oneJob = { args: 'jobid', argCount: { least: 1, most: 1 } } as const;

export interface OwnedContext extends MrjobContext {
  close(): Promise<void>;
}

export function createContext(env: MrjobContext['env'], clock: Clock): OwnedContext {
  let client: MorayClient | undefined;
  return {
    env,
    clock,
    async jobs() {
      const log = createLogger({ name: 'mrjob', level: env['LOG_LEVEL'] ?? 'error', stream: process.stderr });
      try {
        client ??= await connectMoray({ url: morayUrl(env['MORAY_URL']), log, failFast: true });
      } catch (error) {
        throw new VError({ name: 'ConnectError', cause: error as Error }, 'failed to connect');
      }
      return createJobs({ moray: client, buckets: defaultBuckets, clock, images: [], newId: uuid.v4 });
    },
    async close() {
      await client?.close();
    },
  };
}

/** Says which job, and what could not be done with it. */
export function jobFailure(jobId: string, what: string, cause: unknown): Error {
  const info = { jobId };
  return new VError({ name: 'JobCommandError', cause: cause as Error, info }, 'job "%s": failed to %s', jobId, what);
}
