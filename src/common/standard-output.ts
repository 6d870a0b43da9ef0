/** What a command does when nobody takes what it says. */
import { getSystemErrorMap } from 'node:util';

/**
 * Ends the process when its standard output cannot be written: in silence and as done when whoever read it has seen
 * enough, else as failed and with a sentence, since what was asked for is not there.
 *
 * @param name of the command.
 */
export function endWithStandardOutput(name: string): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    process.stderr.write(`${name}: standard output: ${reasonOf(error)}\n`);
    process.exit(1);
  });
}

/** For services: whoever reads their lines may go, and the disk that takes them may be full, but the work goes on. */
export function outliveStandardOutput(): void {
  process.stdout.on('error', () => {});
}

/** In the words of the system: `No space left on device`. */
function reasonOf({ errno, message }: NodeJS.ErrnoException): string {
  const [, words = message] = getSystemErrorMap().get(errno ?? 0) ?? [];
  return words.charAt(0).toUpperCase() + words.slice(1);
}
