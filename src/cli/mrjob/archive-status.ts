import VError from 'verror';
import type { ArchiveJob, ArchiveStatus, Jobs } from '../../jobs/types.js';
import { defaultBuckets } from '../../records/buckets.js';
import type { CliCommand } from '../context.js';
import { duration } from '../duration.js';

export const archiveStatus: CliCommand = {
  name: 'archive-status',
  args: '',
  argCount: { least: 0, most: 0 },
  help: 'Shows how far the archiver is.',
  options: [
    { names: ['j', 'json'], type: 'bool', help: 'As one line of JSON.' },
    { names: ['l', 'force-legacy'], type: 'bool', help: 'Read all finished jobs rather than use indexes.' },
  ],
  async run({ has, context, print, complain }) {
    const jobs = await context.jobs();
    let status: ArchiveStatus;
    try {
      status = await fetched(jobs, has('l'), complain);
    } catch (error) {
      throw new VError({ name: 'ArchiveStatusError', cause: error as Error }, 'fetching archive status');
    }
    const { assigned: _assigned, unassigned: _unassigned, ...counts } = status;
    if (has('j')) print(JSON.stringify(counts));
    else for (const line of report(status, context.clock.nowMs())) print(line);
    return 0;
  },
};

async function fetched(jobs: Jobs, isForced: boolean, complain: (line: string) => void): Promise<ArchiveStatus> {
  const missing = await jobs.missingArchiveIndexes();
  if (missing.length > 0) complain(`warning: archive-related indexes missing on bucket: "${defaultBuckets.job}"`);
  if (missing.length === 0 && !isForced) return jobs.archiveStatus();
  complain('warning: using legacy approach (this is expensive)');
  const onStart = (jobCount: number) => complain(`warning: will scan through all ${jobCount} completed jobs`);
  return jobs.archiveStatus({ onStart });
}

function report(status: ArchiveStatus, nowMs: number): readonly string[] {
  const { nJobsTotal: total, nJobsDone: done, nJobsArchived: archived, nJobsAssigned: assigned } = status;
  const unassigned = done - archived - assigned;
  const count = (label: string, number: number, note: string) =>
    `    ${label.padEnd(19)}${String(number).padStart(6)} (${note})`;
  return [
    `TOTAL JOBS             ${String(total).padStart(6)}`,
    count('queued or running:', total - done, 'waiting for job completion'),
    count('done, unassigned:', unassigned, 'waiting for wrasse assignment'),
    count('done, assigned:', assigned, 'waiting for wrasse archival'),
    count('done, archived:', archived, 'waiting for expiration, then wrasse deletion'),
    '',
    ...single('NEXT JOB TO DELETE:', 'archived at', status.jobNextDelete, nowMs),
    ...single('LAST JOB ARCHIVED:', 'at', status.jobLastArchived, nowMs),
    ...waiting('JOBS AWAITING ASSIGNMENT', unassigned, status.unassigned),
    ...waiting('JOBS AWAITING ARCHIVE COMPLETION', assigned, status.assigned),
  ];
}

function single(title: string, what: string, job: ArchiveJob | null, nowMs: number): readonly string[] {
  if (job === null) return [`${title} none`, ''];
  const time = job.timeArchiveDone ?? '';
  const age = duration(nowMs - Date.parse(time)).padStart(9);
  const head = `${title} ${what.padStart(31 - title.length - 1)}`;
  return [`${head}  ${time} (${age} ago)`, `${'job'.padStart(32)} ${job.id}`, ''];
}

function waiting(title: string, count: number, jobs: readonly ArchiveJob[]): readonly string[] {
  const rows = jobs.map(({ id, timeDone }) => `${id} (job done: ${timeDone})`);
  return [`${title} (${count} jobs, ${jobs.length} oldest shown)`, ...rows, ''];
}
