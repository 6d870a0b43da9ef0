/**
 * The reader threads. Each has a connection and takes one search after another; a search goes to the thread with the
 * fewest waiting. A thread that dies fails what it had, and the next search starts another.
 */
import { Worker } from 'node:worker_threads';
import { database } from '../../errors.js';
import type { FindPlan } from './find.js';
import type { ReaderAnswer, ReaderRequest } from './reader-thread.js';

export interface Readers {
  find(plan: FindPlan): Promise<readonly string[]>;
  stop(): Promise<void>;
}

interface Pending {
  readonly resolve: (rows: readonly string[]) => void;
  readonly reject: (error: Error) => void;
}

interface Reader {
  worker: Worker | null;
  readonly pending: Map<number, Pending>;
}

export function startReaders(file: string, count: number, translate: (error: unknown) => Error): Readers {
  let nextId = 1;

  const startWorker = (reader: Reader): Worker => {
    const worker = new Worker(new URL('./reader-thread.js', import.meta.url), {
      workerData: { file },
      execArgv: [], // how this process was started is not for its threads
    });
    worker.on('message', (answer: ReaderAnswer) => {
      const pending = reader.pending.get(answer.id);
      reader.pending.delete(answer.id);
      if ('rows' in answer) pending?.resolve(answer.rows);
      else pending?.reject(translate(answer));
    });
    let failure: Error = database('a reader of the database ended');
    worker.on('error', (error) => {
      failure = database(`a reader of the database failed: ${error.message}`);
    });
    worker.on('exit', () => {
      for (const pending of reader.pending.values()) pending.reject(failure);
      reader.pending.clear();
      reader.worker = null;
    });
    return worker;
  };

  const readers = Array.from({ length: count }, () => {
    const reader: Reader = { worker: null, pending: new Map() };
    reader.worker = startWorker(reader);
    return reader;
  });

  return {
    find(plan) {
      const [reader] = [...readers].sort((one, other) => one.pending.size - other.pending.size);
      if (reader === undefined) return Promise.reject(database('there is no reader of the database'));
      return new Promise((resolve, reject) => {
        const request: ReaderRequest = { id: nextId++, plan };
        reader.pending.set(request.id, { resolve, reject });
        reader.worker ??= startWorker(reader);
        reader.worker.postMessage(request);
      });
    },
    async stop() {
      await Promise.all(readers.map(({ worker }) => worker?.terminate()));
    },
  };
}
