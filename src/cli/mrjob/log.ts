import type { LogEvent } from '../../jobs/types.js';
import type { CliCommand } from '../context.js';
import { duration } from '../duration.js';
import { type Column, tablePrinter } from '../table.js';
import { jobFailure, jsonOption, ofJob, oneJob } from './one-job.js';

interface Row extends LogEvent {
  readonly sinceStartMs: number;
}

// biome-ignore format: table
const columns: readonly Column<Row>[] = [
  { header: 'TIMESTAMP', width: 18, align: 'left',  value: ({ time }) => time.slice(5, 23) },
  { header: 'JOBTIME',   width: 8,  align: 'right', value: ({ sinceStartMs }) => duration(sinceStartMs) },
  { header: 'WHERE',     width: 11, align: 'left',  value: ({ where }) => (where.length > 11 ? `${where.slice(0, 8)}...` : where) },
  { header: 'MESSAGE',   width: 12, align: 'left',  value: ({ message }) => message },
  { header: 'WHAT',      width: 11, align: 'left',  value: ({ what }) => what },
];

export const log: CliCommand = {
  ...oneJob,
  name: 'log',
  help: 'Shows what happened to a job and its tasks, and when.',
  options: [jsonOption],
  async run({ args: [jobId = ''], has, context, print }) {
    const jobs = await context.jobs();
    const events: LogEvent[] = [];
    try {
      for await (const event of ofJob(jobs, jobId, jobs.log(jobId))) events.push(event);
    } catch (error) {
      throw jobFailure(jobId, 'fetch log', error);
    }
    events.sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
    const startMs = Date.parse(events[0]?.time ?? '');
    const printRow = tablePrinter(columns, print);
    for (const event of events) {
      if (has('json')) print(JSON.stringify(event));
      else printRow({ ...event, sinceStartMs: Date.parse(event.time) - startMs });
    }
    return 0;
  },
};
