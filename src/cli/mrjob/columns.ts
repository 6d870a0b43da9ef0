/** Columns of `mrjob list`, by their key. */
import type { Stored } from '../../bus/types.js';
import { isoTime } from '../../common/iso-time.js';
import type { JobRecord, JobStats } from '../../records/job.js';
import type { Column } from '../table.js';

export type JobRow = Stored<JobRecord>;

const text = (header: string, width: number, value: (job: JobRecord) => string | undefined): Column<JobRow> => ({
  header,
  width,
  align: 'left',
  value: (row) => value(row.value) || '-',
});

const count = (header: string, width: number, value: (stats: JobStats) => number | undefined): Column<JobRow> => ({
  header,
  width,
  align: 'right',
  value: ({ value: { stats } }) => String((stats === undefined ? undefined : value(stats)) ?? '-'),
});

const committed = ({ nTasksCommittedOk = 0, nTasksCommittedFail = 0 }: JobStats) =>
  nTasksCommittedOk + nTasksCommittedFail;

// biome-ignore format: table
export const columns: Readonly<Record<string, Column<JobRow>>> = {
  assigned:  text('ASSIGNED', 24, (job) => job.timeAssigned),
  cancelled: text('CANCELLED', 24, (job) => job.timeCancelled),
  created:   text('CREATED', 24, (job) => job.timeCreated),
  done:      text('DONE', 24, (job) => job.timeDone),
  inputdone: text('INPUTDONE', 24, (job) => job.timeInputDone),
  jobid:     text('JOBID', 36, (job) => job.jobId),
  owner:     text('OWNER', 36, (job) => job.owner),
  worker:    text('WORKER', 36, (job) => job.worker),
  jobname:   text('JOBNAME', 36, (job) => job.name?.slice(0, 36)),
  login:     text('LOGIN', 12, (job) => job.auth?.login),
  modified:  { header: 'MODIFIED', width: 24, align: 'left', value: ({ mtimeMs }) => isoTime(mtimeMs) },
  nassigns:  count('NASGN', 4, ({ nAssigns }) => nAssigns),
  ncomm:     count('NCOMM', 5, committed),
  ndisp:     count('NDISP', 5, ({ nTasksDispatched }) => nTasksDispatched),
  nerr:      count('NERR', 4, ({ nErrors }) => nErrors),
  ninread:   count('NINREAD', 7, ({ nInputsRead }) => nInputsRead),
  nout:      count('NOUT', 4, ({ nJobOutputs }) => nJobOutputs),
  nph:       { header: 'NPH', width: 3, align: 'right', value: ({ value }) => String(value.phases?.length ?? '-') },
  nret:      { header: 'NRET', width: 4, align: 'right', value: ({ value }) => String(value.stats?.nRetries ?? 0) },
  ntasks:    count('NTASKS', 6, ({ nTasksDispatched }) => nTasksDispatched),
  s:         { header: 'S', width: 3, align: 'right', value: ({ value }) => stateCode(value) },
};

const aliases: Readonly<Record<string, string>> = {
  crtime: 'created',
  mtime: 'modified',
  state: 's',
  cust: 'owner',
  customer: 'owner',
  user: 'owner',
};

export const columnNames: readonly string[] = Object.keys(columns);
export const defaultColumns = ['jobid', 'login', 's', 'nout', 'nerr', 'nret', 'ndisp', 'ncomm'];

/** @param name in any case, perhaps an alias, or the header of a column. */
export function columnOf(name: string): Column<JobRow> | undefined {
  const key = name.toLowerCase();
  const byHeader = Object.values(columns).find(({ header }) => header.toLowerCase() === key);
  return columns[aliases[key] ?? key] ?? byHeader;
}

/** First letter of the state, after C when cancelled, else after W when the input is still open. */
function stateCode({ state, timeCancelled, timeInputDone }: JobRecord): string {
  const letter = (state[0] ?? '?').toUpperCase();
  if (timeCancelled) return `C${letter}`;
  return timeInputDone ? letter : `W${letter}`;
}
