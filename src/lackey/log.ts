/** Log lines in bunyan's format, without the package: loading it would double the time that a lackey takes to start. */
import fs from 'node:fs';
import os from 'node:os';

const levels = { debug: 20, info: 30, warn: 40, error: 50 } as const;
type Write = (message: string, fields?: Readonly<Record<string, unknown>>) => void;
export type Log = Readonly<Record<keyof typeof levels, Write>>;

export function createLog(zone: string): Log {
  const common = { name: 'MarlinLackey', hostname: os.hostname(), pid: process.pid, zone };
  const writer =
    (level: number): Write =>
    (msg, fields = {}) => {
      const line = JSON.stringify({ ...common, level, ...fields, msg, time: new Date().toISOString(), v: 0 });
      try {
        fs.writeSync(1, `${line}\n`);
      } catch {
        // A full disk is the user's doing and must end the task, not the lackey: the line is lost.
      }
    };
  return {
    debug: writer(levels.debug),
    info: writer(levels.info),
    warn: writer(levels.warn),
    error: writer(levels.error),
  };
}
