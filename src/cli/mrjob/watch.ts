/**
 * `mrjob watch`: on a terminal a picture that is drawn anew in place; otherwise a line per change. The picture is a pure
 * function of two looks at the job, so that it can be compared as a whole.
 */
import type { JobProgress, PhaseProgress } from '../../jobs/progress.js';
import type { CliCommand } from '../context.js';
import { duration } from '../duration.js';
import { jobFailure, oneJob } from './one-job.js';

/** The job ended with errors, or was cancelled. */
const endedBadly = 3;
/** The rate is that of the last so many seconds. */
const rateWindowMs = 10_000;

export const watch: CliCommand = {
  ...oneJob,
  name: 'watch',
  help: 'Shows how far a job is, until it is done. Exit status 3: done with errors, or cancelled.',
  options: [
    { names: ['json'], type: 'bool', help: 'One JSON object per change.' },
    { names: ['plain'], type: 'bool', help: 'One line per change, also on a terminal.' },
  ],
  async run({ args: [jobId = ''], has, context, print }) {
    const jobs = await context.jobs();
    const isPicture = context.isTerminal && !has('plain') && !has('json');
    const looks: Look[] = [];
    let before = '';
    let height = 0;
    let last: JobProgress | undefined;
    try {
      for await (const progress of jobs.follow(jobId, context.interrupted())) {
        last = progress;
        const nowMs = context.clock.nowMs();
        looks.push({ atMs: nowMs, committed: sum(progress.phases, 'committed') });
        while (nowMs - (looks[1]?.atMs ?? nowMs) >= rateWindowMs) looks.shift();
        const lines = has('json')
          ? [JSON.stringify(progress)]
          : isPicture
            ? picture(progress, looks, nowMs)
            : [plainLine(progress)];
        if (!isPicture && lines.join() === before) continue;
        before = lines.join();
        const up = isPicture && height > 0 ? `\u001b[${height}A` : '';
        print(up + lines.map((line) => (isPicture ? `\u001b[2K${line}` : line)).join('\n'));
        height = lines.length;
      }
    } catch (error) {
      throw jobFailure(jobId, 'watch', error);
    }
    return last?.state === 'done' && (last.isCancelled || last.errors > 0) ? endedBadly : 0;
  },
};

export interface Look {
  readonly atMs: number;
  readonly committed: number;
}

function plainLine(progress: JobProgress): string {
  const phases = progress.phases.map((phase, index) => `phase ${index} ${phase.committed}/${phase.expected}`);
  const { outputs, errors, retries } = progress;
  return [stateOf(progress), ...phases, `${outputs} outputs`, `${errors} errors`, `${retries} retries`].join(', ');
}

function stateOf({ state, isCancelled, isInputOpen }: JobProgress): string {
  if (isCancelled) return state === 'done' ? 'cancelled' : 'being cancelled';
  return state !== 'done' && isInputOpen ? `${state}, input open` : state;
}

/** @param looks earlier ones, the last being this. */
export function picture(progress: JobProgress, looks: readonly Look[], nowMs: number): readonly string[] {
  const { jobId, name, phases, outputs, errors, retries, timeCreated, timeDone } = progress;
  const ended = timeDone === null ? nowMs : Date.parse(timeDone);
  const rate = ratePerSecond(looks);
  const left = sum(phases, 'expected') - sum(phases, 'committed');
  const isKnown = !progress.isInputOpen && rate > 0 && progress.state !== 'done';
  const remaining = isKnown ? `, about ${duration((left / rate) * 1000).replace(/\.\d+s$/, 's')} left` : '';
  return [
    `job ${jobId}${name === '' ? '' : ` (${name})`}`,
    `${stateOf(progress)} for ${duration(ended - Date.parse(timeCreated))}${remaining}`,
    ...phases.map(phaseLine),
    `${outputs} outputs   ${errors} errors   ${retries} retries   ${rate.toFixed(1)} tasks/s`,
  ];
}

const barWidth = 40;

function phaseLine({ type, expected, dispatched, committed }: PhaseProgress, index: number): string {
  const cells = (count: number) => (expected === 0 ? 0 : Math.floor((barWidth * Math.min(count, expected)) / expected));
  const [full, part] = [cells(committed), cells(dispatched)];
  const bar = '█'.repeat(full) + '▒'.repeat(Math.max(0, part - full));
  return `phase ${index} ${type.padEnd(6)} [${bar.padEnd(barWidth, '·')}] ${committed}/${expected}`;
}

function ratePerSecond(looks: readonly Look[]): number {
  const [first, last] = [looks[0], looks.at(-1)];
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
  return (1000 * (last.committed - first.committed)) / (last.atMs - first.atMs);
}

function sum(phases: readonly PhaseProgress[], member: 'expected' | 'committed'): number {
  return phases.reduce((total, phase) => total + phase[member], 0);
}
