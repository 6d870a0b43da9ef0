/** The standard input of a command whose input is fetched while it runs. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import type { Writable } from 'node:stream';

/** Opens a file by its inode, without reading or writing it. Linux has it, Node does not name it. */
const openPath = 0o10000000;

export interface InputPipe {
  readonly readEnd: number;
  readonly writer: Writable;
  /** Lets go who waits for a writer; it then reads what is left, and the end. Once `writer` has ended. */
  releaseReaders(): void;
  /** Frees what `releaseReaders` needs. */
  forget(): void;
}

/**
 * A pipe, not the socket pair that Node makes: commands may open `/dev/stdin`, which no socket allows. Such an open waits
 * for a writer, and may come when all has been written and the writer is gone: `releaseReaders` is for that one.
 */
export function openPipe(name: string): InputPipe {
  const { O_RDWR, O_RDONLY, O_WRONLY, O_NONBLOCK } = fs.constants;
  fs.rmSync(name, { force: true });
  execFileSync('mkfifo', [name], { stdio: ['ignore', 'ignore', 'pipe'] });
  const both = fs.openSync(name, O_RDWR | O_NONBLOCK); // so that neither of the next two waits for the other
  const readEnd = fs.openSync(name, O_RDONLY);
  const writeEnd = fs.openSync(name, O_WRONLY | O_NONBLOCK);
  const handle = fs.openSync(name, openPath);
  fs.closeSync(both);
  fs.unlinkSync(name);
  return {
    readEnd,
    writer: new net.Socket({ fd: writeEnd, readable: false, writable: true }),
    releaseReaders() {
      try {
        fs.closeSync(fs.openSync(`/proc/self/fd/${handle}`, O_WRONLY | O_NONBLOCK));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error; // nobody reads any more
      }
    },
    forget: () => fs.closeSync(handle),
  };
}
