/** Errors as users see them. */
import type { Stored } from '../bus/types.js';
import { and, eq, or, present } from '../moray/client/filter.js';
import type { ErrorRecord } from '../records/error.js';
import { failedScript } from '../records/error-codes.js';
import type { JobRecord } from '../records/job.js';
import { type JobStore, search } from './store.js';
import type { JobError, Page } from './types.js';

/** @param retried whether to list the failures that were retried, or the final ones. */
export async function* jobErrors(
  store: JobStore,
  jobId: string,
  retried: boolean,
  page?: Page,
): AsyncGenerator<JobError> {
  const spellings = retried ? ['true', 'TRUE'] : ['false', 'FALSE'];
  const hasOutcome = or(...spellings.map((spelling) => eq('retried', spelling)));
  const where = (...more: readonly string[]) => and(eq('jobId', jobId), present('timeCommitted'), hasOutcome, ...more);
  for await (const record of search<ErrorRecord>(store, 'error', where, page)) yield jobError(record);
}

export function jobError({ value }: Stored<ErrorRecord>): JobError {
  const { taskId, machine, input, p0input, stderr, core } = value;
  return {
    ...defined({ taskId }),
    phaseNum: String(value.phaseNum),
    ...defined({ server: value.mantaComputeId, machine, input, p0input }),
    what: whatFailed(value),
    code: value.errorCode,
    message: value.errorMessage || 'unknown error',
    ...defined({ stderr, core }),
  };
}

/** What people want to know first of an error in a job of many phases. Undefined: no command had a chance. */
export function failedCommand(error: JobError, phases: JobRecord['phases']): string | undefined {
  const script = failedScript(error);
  return script === 'none' ? undefined : phases[Number(error.phaseNum)]?.[script];
}

function whatFailed({ phaseNum, input, p0input }: ErrorRecord): string {
  if (input === undefined) return `phase ${phaseNum}: reduce`;
  const origin = Number(phaseNum) > 0 && p0input !== undefined ? ` (from job input ${JSON.stringify(p0input)})` : '';
  return `phase ${phaseNum}: input ${JSON.stringify(input)}${origin}`;
}

/** The members that are there. */
function defined<Members extends Readonly<Record<string, string | undefined>>>(
  members: Members,
): { [Name in keyof Members]?: string } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Members]?: string;
  };
}
