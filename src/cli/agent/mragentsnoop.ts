/**
 * `mragentsnoop`: what an agent does, a line per event, from its log as it is written: `tail -n 0 -F LOG | mragentsnoop`.
 * Each kind of log line is a row of the table. Those of zones are only in a log of level debug. Source: spec 08 §8.8.2.
 */
import { programOf, usageError } from '../command.js';
import type { CliContext } from '../context.js';
import { linesOf } from '../lines.js';

interface Entry {
  readonly time: string;
  readonly msg?: string;
  readonly event?: string;
  readonly computeAudit?: boolean;
  readonly mantaComputeId?: string;
  readonly zone?: string;
  readonly job?: string;
  readonly jobId?: string;
  readonly phase?: number;
  readonly taskId?: string;
}

interface Probe {
  readonly name: string;
  readonly isIt: (entry: Entry) => boolean;
  readonly detail: (entry: Entry) => string;
}

const metered = (event: string) => (entry: Entry) => entry.computeAudit === true && entry.event === event;
const zoneEvent = (event: string) => (entry: Entry) => entry.msg === 'zone' && entry.event === event;
const task = ({ jobId = '', taskId = '' }: Entry) => `${jobId.slice(0, 8)} ${taskId}`;
const zone = ({ zone: name = '' }: Entry) => name;

// biome-ignore format: table
const probes: readonly Probe[] = [
  { name: 'agent-started',        isIt: metered('AgentStart'), detail: ({ mantaComputeId = '' }) => mantaComputeId },
  { name: 'zone-reset-start',     isIt: zoneEvent('released'), detail: zone },
  { name: 'zone-reset-done',      isIt: zoneEvent('prepared'), detail: (entry) => `${zone(entry)} (ok)` },
  { name: 'zone-reset-done',      isIt: ({ msg }) => msg === 'zone could not be reset', detail: (entry) => `${zone(entry)} (ERROR)` },
  { name: 'sched-stream-created', isIt: ({ msg }) => msg === 'created stream',
    detail: (entry) => `${(entry.job ?? '').slice(0, 8)} ${zone(entry)} (phase ${String(entry.phase).padStart(2)})` },
  { name: 'task-dispatched',      isIt: metered('TaskStart'),  detail: task },
  { name: 'task-done',            isIt: metered('TaskDone'),   detail: task },
];

export const mragentsnoop = programOf<CliContext>(
  {
    name: 'mragentsnoop',
    args: '',
    argCount: { least: 0, most: 0 },
    help: 'shows what an agent does, from its log on standard input: tail -n 0 -F LOG | mragentsnoop',
    options: [{ names: ['D'], type: 'string', helpArg: 'JSON', help: '-DJSON: also the whole log line.' }],
    async run({ value, context, print }) {
      const detail = value('D');
      if (detail !== undefined && detail !== 'JSON') throw usageError(`unknown detail: ${detail}`);
      print('Snooping.');
      let startMs: number | undefined;
      for await (const line of linesOf(context.stdin)) {
        const entry = parsed(line);
        const probe = entry === null ? undefined : probes.find(({ isIt }) => isIt(entry));
        if (entry === null || probe === undefined) continue;
        const atMs = Date.parse(entry.time);
        startMs ??= atMs;
        print(`${seconds(atMs - startMs)}  ${probe.name.padEnd(22)} ${probe.detail(entry)}`);
        if (detail === 'JSON') print(line);
      }
      return 0;
    },
  },
  ['Resets of zones are in logs of level debug only.'],
);

function seconds(ms: number): string {
  return `${String(Math.floor(ms / 1000)).padStart(5)}.${String(ms % 1000).padStart(3, '0')}`;
}

/** @returns null for what is no log line: what a runtime prints gets into logs, too. */
function parsed(line: string): Entry | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as Entry;
  } catch {
    return null;
  }
}
