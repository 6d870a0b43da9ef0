/** `mrjob SUBCOMMAND`: jobs seen and changed directly in Moray. No front door, no access control: for operators. */
import { systemClock } from '../../common/clock.js';
import { runProgram } from '../command.js';
import { createContext } from './context.js';
import { mrjob } from './program.js';

process.stdout.on('error', () => process.exit(0)); // whoever read us has seen enough

const context = createContext(process.env, systemClock);
process.exitCode = await runProgram(mrjob, process.argv.slice(2), context, process);
await context.close();
