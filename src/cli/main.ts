/** `node main.js NAME ARGUMENT...`: the operator's command of that name. */
import { systemClock } from '../common/clock.js';
import { endWithStandardOutput } from '../common/standard-output.js';
import { runProgram } from './command.js';
import { createContext } from './context.js';
import { programs } from './programs.js';

const [name = '', ...args] = process.argv.slice(2);
endWithStandardOutput(name);
const load = programs[name];
if (load === undefined) {
  process.stderr.write(`no command "${name}"; there are: ${Object.keys(programs).join(' ')}\n`);
  process.exit(2);
}
const context = createContext(process.env, {
  clock: systemClock,
  isTerminal: process.stdout.isTTY === true,
  interrupted: () => {
    const interrupt = new AbortController();
    process.on('SIGINT', () => (interrupt.signal.aborted ? process.exit(130) : interrupt.abort()));
    return interrupt.signal;
  },
});
process.exitCode = await runProgram(await load(), args, context, process);
await context.close();
