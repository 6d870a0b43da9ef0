import { execFile } from 'node:child_process';
import VError from 'verror';

/** Runs a command to its end. @returns its standard output. @throws VError `CommandError` with its standard error. */
export function runCommand(command: string, argv: readonly string[], signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      encoding: 'utf8' as const,
      maxBuffer: 4 * 1024 * 1024,
      ...(signal === undefined ? {} : { signal }),
    };
    execFile(command, argv, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(commandFailed(error, [command, ...argv], stderr));
    });
  });
}

export function commandFailed(cause: Error, argv: readonly string[], stderr: string): Error {
  const why = new VError({ name: cause.name }, '%s', cause.message.split('\n')[0]);
  return new VError(
    { name: 'CommandError', cause: why },
    'command "%s" failed with stderr: %s',
    argv.join(' '),
    stderr.trim(),
  );
}
