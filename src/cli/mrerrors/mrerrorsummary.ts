import VError from 'verror';
import { addError, type ErrorLike, newErrorSummary } from '../../jobs/error-summary.js';
import { programOf } from '../command.js';
import type { CliContext } from '../context.js';
import { linesOf } from '../lines.js';
import { summaryJson, summaryLines } from './summary.js';

export const mrerrorsummary = programOf<CliContext>({
  name: 'mrerrorsummary',
  args: '',
  argCount: { least: 0, most: 0 },
  help: 'summarises error records from standard input, one JSON object per line',
  options: [{ names: ['json'], type: 'bool', help: 'As one JSON object.' }],
  async run({ has, context, print }) {
    const summary = newErrorSummary();
    let number = 0;
    for await (const line of linesOf(context.stdin)) {
      number++;
      if (line.trim() !== '') addError(summary, parsed(line, number));
    }
    if (has('json')) print(JSON.stringify(summaryJson(summary)));
    else for (const line of summaryLines(summary)) print(line);
    return 0;
  },
});

/** A record as Moray keeps it, or an object as `findobjects` prints it. */
function parsed(line: string, number: number): ErrorLike {
  try {
    const object: { readonly value?: ErrorLike } & ErrorLike = JSON.parse(line);
    return object.value ?? object;
  } catch (error) {
    throw new VError({ name: 'LineError', cause: error as Error }, 'line %d', number);
  }
}
