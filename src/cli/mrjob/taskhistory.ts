import VError from 'verror';
import type { HistoryEntry } from '../../jobs/history.js';
import type { CliCommand } from '../context.js';

const wide = ' '.repeat(37);

export const taskhistory: CliCommand = {
  name: 'taskhistory',
  args: 'taskid',
  argCount: { least: 1, most: 1 },
  help: 'Shows where a task comes from, its other attempts, and what became of what it emitted.',
  options: [{ names: ['json'], type: 'bool', help: 'The records, one JSON object per line.' }],
  async run({ args: [taskId = ''], has, context, print }) {
    const jobs = await context.jobs();
    let entries: readonly HistoryEntry[];
    try {
      entries = await jobs.taskHistory(taskId);
    } catch (cause) {
      const text = 'task "%s": failed to fetch history';
      throw new VError({ name: 'TaskHistoryError', cause: cause as Error }, text, taskId);
    }
    for (const entry of entries) {
      if (has('json')) print(JSON.stringify(entry));
      else for (const line of [...linesOf(entry), '']) print(line);
    }
    return 0;
  },
};

function linesOf(entry: HistoryEntry): readonly string[] {
  const head = (time: string | undefined, type: string) =>
    `${(time ?? '-').padEnd(24)}  ${type.padEnd(10)} ${entry.key}`;
  switch (entry.kind) {
    case 'jobinput':
      return [head(entry.value.timeCreated, 'jobinput'), `    ${entry.value.input}`];
    case 'taskinput':
      return [head(entry.value.timeDispatched, 'taskinput'), `    ${entry.value.input}`];
    case 'taskoutput':
      return [head(entry.value.timeCreated, 'taskoutput'), `    ${entry.value.output}`];
    case 'error': {
      const { timeCommitted, errorCode, errorMessage, errorMessageInternal: internal } = entry.value;
      const message = internal === undefined ? errorMessage : `internal error: ${internal}`;
      return [head(timeCommitted, 'error'), `${wide}${errorCode}`, `${wide}${message}`];
    }
    case 'task': {
      const { timeDispatched, rIdx, nattempts = 1, mantaComputeId, phaseNum, input, nInputs } = entry.value;
      const attempt = `${wide}(attempt ${nattempts}, host ${mantaComputeId})`;
      if (rIdx === undefined) {
        const source = phaseNum === 0 && input !== undefined ? [`    ${input}`] : [];
        return [head(timeDispatched, 'map task'), attempt, ...source];
      }
      return [
        head(timeDispatched, 'reducer'),
        attempt,
        `${wide}${nInputs === undefined ? 'input stream open' : `${nInputs} inputs`}`,
      ];
    }
  }
}
