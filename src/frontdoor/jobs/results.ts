/**
 * What a job has got, made and failed at: `GET live/in`, `out`, `err`, `fail`. While a job runs, the most recent
 * hundred: lists that still grow are for looking at. Of a job that is done everything is given, since clients read the
 * list once and take it to be whole.
 */
import { failedCommand } from '../../jobs/errors.js';
import type { JobError, Jobs, Page } from '../../jobs/types.js';
import type { JobRecord } from '../../records/job.js';
import type { Call } from '../request/call.js';
import { joined, respondStream, setHeaders } from '../request/respond.js';
import { lookUpJob } from './lookup.js';

const recentLimit = 100;

interface ResultList {
  readonly contentType: string;
  readonly lines: (jobs: Jobs, job: JobRecord, page: Page) => AsyncIterable<string>;
}

const text = 'text/plain';

export const jobInputs = handlerOf({
  contentType: text,
  lines: async function* (jobs, { jobId }, page) {
    for await (const { value } of jobs.inputs(jobId, page)) yield value.input;
  },
});

export const jobOutputs = handlerOf({
  contentType: text,
  lines: async function* (jobs, { jobId, phases }, page) {
    for await (const { value } of jobs.outputs(jobId, phases.length - 1, page)) yield value.output;
  },
});

export const jobErrors = handlerOf({
  contentType: 'application/x-json-stream; type=job-error',
  lines: async function* (jobs, { jobId, phases }, page) {
    for await (const error of jobs.errors(jobId, page)) yield JSON.stringify(errorLine(error, phases));
  },
});

export const jobFailures = handlerOf({
  contentType: text,
  lines: (jobs, { jobId }, page) => jobs.failedInputs(jobId, page),
});

function errorLine(error: JobError, phases: JobRecord['phases']) {
  const { phaseNum, what, code, message, stderr, core, input, p0input } = error;
  const command = failedCommand(error, phases);
  return { phase: String(phaseNum), what, code, message, command, stderr, core, input, p0input };
}

function handlerOf(list: ResultList) {
  return async (call: Call): Promise<void> => {
    const { response, services } = call;
    const job = await lookUpJob(call, 'getjob');
    setHeaders(response, { 'Content-Type': list.contentType });
    const found = job.state === 'done' ? list.lines(services.jobs, job, {}) : recent(list, services.jobs, job);
    await respondStream(response, joined(terminated(found)), () => response.writeHead(200));
  };
}

/** Newest first from the store, oldest first to the client. */
async function* recent(list: ResultList, jobs: Jobs, job: JobRecord): AsyncGenerator<string> {
  const newestFirst: string[] = [];
  for await (const line of list.lines(jobs, job, { limit: recentLimit, order: 'DESC' })) newestFirst.push(line);
  yield* newestFirst.reverse();
}

async function* terminated(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`;
}
