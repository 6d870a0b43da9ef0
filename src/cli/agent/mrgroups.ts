import { programOf, usageError } from '../command.js';
import type { CliContext } from '../context.js';
import { type Column, tablePrinter } from '../table.js';
import { processTree } from './process-tree.js';
import { snapshotObjects } from './request.js';

interface Group {
  readonly jobid: string;
  readonly phasei: number;
  readonly ntasks: number;
  readonly nrunning: number;
  readonly share: number | string;
  readonly login?: string;
}

interface Stream {
  readonly jobid: string;
  readonly phasei: number;
  readonly machine: string;
  readonly taskStart?: string;
}

// biome-ignore format: table
const groupColumns: readonly Column<Group>[] = [
  { header: 'JOBID',  width: 36, align: 'right', value: ({ jobid }) => jobid },
  { header: 'PH',     width: 2,  align: 'right', value: ({ phasei }) => String(phasei) },
  { header: 'NTASKS', width: 6,  align: 'right', value: ({ ntasks }) => String(ntasks) },
  { header: 'RUN',    width: 3,  align: 'right', value: ({ nrunning }) => String(nrunning) },
  { header: 'SHARE',  width: 6,  align: 'right', value: ({ share }) => String(share) },
  { header: 'LOGIN',  width: 5,  align: 'left',  value: ({ login }) => login ?? '-' },
];
// biome-ignore format: table
const streamColumns: readonly Column<Stream>[] = [
  { header: 'JOBID',      width: 11, align: 'left', value: ({ jobid }) => `${jobid.slice(0, 8)}...` },
  { header: 'PH',         width: 2,  align: 'left', value: ({ phasei }) => String(phasei) },
  { header: 'ZONE',       width: 36, align: 'left', value: ({ machine }) => machine },
  { header: 'LAST START', width: 24, align: 'left', value: ({ taskStart }) => taskStart ?? '-' },
];

/** Tokens are never shown; the rest is of no use to people. */
const left = {
  taskgroup: ['token', 'mapKeys', 'multiKey', 'groupid'],
  taskstream: ['id', 'pendingUpdate'],
} as const;

export const mrgroups = programOf<CliContext>(
  {
    name: 'mrgroups',
    args: '',
    argCount: { least: 0, most: Number.POSITIVE_INFINITY },
    help: 'shows the task groups of the agent on this machine; NTASKS counts those that wait',
    options: [
      { names: ['j', 'json'], type: 'bool', help: 'As the agent shows them, as one JSON array.' },
      { names: ['s'], type: 'bool', help: 'The zones that work for groups.' },
      { names: ['v'], type: 'bool', help: 'With -s: the processes in each.' },
    ],
    async run({ args, has, context, print }) {
      if (args[0] !== undefined) throw usageError(`unexpected argument: ${args[0]}`);
      if (has('v') && !has('s')) throw usageError('-v can only be used with -s');
      if (has('v') && has('j')) throw usageError('-j cannot be used with -v');
      const type = has('s') ? 'taskstream' : 'taskgroup';
      if (has('j')) {
        const objects = await snapshotObjects<object>(context, type);
        const hidden: readonly string[] = left[type];
        const shown = objects.map((object) => Object.entries(object).filter(([name]) => !hidden.includes(name)));
        print(
          JSON.stringify(
            shown.map((entries) => Object.fromEntries(entries)),
            null,
            2,
          ),
        );
      } else if (has('s')) await printStreams(context, print, has('v'));
      else {
        const printRow = tablePrinter(groupColumns, print);
        for (const group of await snapshotObjects<Group>(context, type)) printRow(group);
      }
      return 0;
    },
  },
  ['AGENT_URL says where the agent is (default http://localhost:9080).'],
);

async function printStreams(context: CliContext, print: (line: string) => void, withProcesses: boolean): Promise<void> {
  const printRow = tablePrinter(streamColumns, print);
  for (const stream of await snapshotObjects<Stream>(context, 'taskstream')) {
    printRow(stream);
    if (withProcesses) for (const line of await processTree(context, stream.machine)) print(line);
  }
}
