/**
 * Archiving one job: its status and its lists become objects in its own directory, readable for as long as the user
 * wants, and a copy of its record goes to the operator. Whatever happens half-way, the whole may be done again: every
 * step writes the same things to the same places. What cannot be written because nobody wants it any more (the user has
 * removed the directory, the account is gone) is left out, so that such a job does not wait for ever.
 */
import type { Tokens } from '../accounts/tokens.js';
import type { AccountStore } from '../accounts/types.js';
import type { Clock } from '../common/clock.js';
import type { Logger } from '../common/logging.js';
import type { Archiving } from '../jobs/archiving.js';
import { failedCommand } from '../jobs/errors.js';
import { jobStatus } from '../jobs/status.js';
import type { Jobs } from '../jobs/types.js';
import type { JobRecord } from '../records/job.js';
import { type MantaClient, type NewObject, statusOf } from './manta.js';

export interface ArchiveJobOptions {
  readonly jobs: Jobs;
  readonly archiving: Archiving;
  readonly accounts: AccountStore;
  readonly tokens: Tokens;
  readonly manta: MantaClient;
  readonly instance: string;
  /** Login of the account that keeps copies of the records. */
  readonly operator: string;
  readonly clock: Clock;
  readonly log: Logger;
}

interface ArchivedList extends Pick<NewObject, 'contentType'> {
  readonly name: string;
  readonly lines: (jobs: Jobs, job: JobRecord) => AsyncIterable<string>;
}

/** In the order of writing, after `job.json`. */
const lists: readonly ArchivedList[] = [
  {
    name: 'out.txt',
    contentType: 'text/plain',
    lines: async function* (jobs, { jobId, phases }) {
      for await (const { value } of jobs.outputs(jobId, phases.length - 1)) yield value.output;
    },
  },
  {
    name: 'err.txt',
    contentType: 'application/x-json-stream; type=job-error',
    lines: async function* (jobs, { jobId, phases }) {
      for await (const error of jobs.errors(jobId))
        yield JSON.stringify({ ...error, command: failedCommand(error, phases) });
    },
  },
  {
    name: 'in.txt',
    contentType: 'text/plain',
    lines: async function* (jobs, { jobId }) {
      for await (const { value } of jobs.inputs(jobId)) yield value.input;
    },
  },
  { name: 'fail.txt', contentType: 'text/plain', lines: (jobs, { jobId }) => jobs.failedInputs(jobId) },
];

/** @param job as it was claimed. @throws VError, see `isTaken`; or of the store or the front door: try again later. */
export async function archiveJob(job: JobRecord, options: ArchiveJobOptions): Promise<void> {
  const { archiving, accounts, instance, log } = options;
  const { jobId } = job;
  const operator = await operatorOf(options);
  const login = (await accounts.names([job.owner]))[job.owner];
  if (login === undefined) log.info({ jobId, owner: job.owner }, 'the owner of the job is gone: no lists are stored');
  const directory = login === undefined ? undefined : `/${login}/jobs/${jobId}`;
  const token = directory === undefined ? undefined : await writeLists(job, directory, operator.token, options);
  const archived = await archiving.done(jobId, instance);
  if (directory !== undefined && token !== undefined) await putStatus(archived, directory, token, options.manta);
  await keepRecord(archived, operator, options.manta);
}

/**
 * @returns the token that was accepted: the job's own, whose roles become the tags of what is written, or that of the
 * operator when the job's is worth nothing any more; undefined: the directory is gone.
 */
async function writeLists(
  job: JobRecord,
  directory: string,
  operatorToken: string,
  { jobs, manta }: ArchiveJobOptions,
): Promise<string | undefined> {
  let token = job.auth?.token ?? job.authToken ?? operatorToken;
  try {
    try {
      await putStatus(job, directory, token, manta);
    } catch (error) {
      if (statusOf(error) !== 403) throw error;
      token = operatorToken;
      await putStatus(job, directory, token, manta);
    }
    for (const { name, contentType, lines } of lists)
      await manta.put(`${directory}/${name}`, { contentType, lines: lines(jobs, job) }, token);
    await manta.remove(`${directory}/live`, token);
    return token;
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    return undefined;
  }
}

function putStatus(job: JobRecord, directory: string, token: string, manta: MantaClient): Promise<void> {
  const lines = [JSON.stringify(jobStatus(job))];
  return manta.put(`${directory}/job.json`, { contentType: 'application/json', lines }, token);
}

interface Operator {
  readonly login: string;
  readonly token: string;
}

async function operatorOf({ accounts, tokens, operator: login, clock }: ArchiveJobOptions): Promise<Operator> {
  const { account } = await accounts.accountByLogin(login);
  return { login, token: tokens.issue({ account: account.uuid, user: null, activeRoles: [] }, clock.nowMs()) };
}

/** `/poseidon/stor/job_archives/2019/05/02/10/ID/job.json`, by the hour of the job's creation in UTC. */
async function keepRecord(job: JobRecord, { login, token }: Operator, manta: MantaClient): Promise<void> {
  const hour = job.timeCreated.slice(0, 13).split(/[-T]/);
  const parents = ['job_archives', ...hour, job.jobId];
  const place = (count: number) => [`/${login}/stor`, ...parents.slice(0, count)].join('/');
  try {
    await manta.makeDirectory(place(parents.length), token);
  } catch (error) {
    if (statusOf(error) !== 404) throw error; // the first job of an hour
    for (let count = 1; count <= parents.length; count++) await manta.makeDirectory(place(count), token);
  }
  const object = { contentType: 'application/json', lines: [JSON.stringify(job)] };
  await manta.put(`${place(parents.length)}/job.json`, object, token);
}
