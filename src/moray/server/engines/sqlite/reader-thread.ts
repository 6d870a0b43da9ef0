/** A reader: runs searches on a connection of its own, one at a time, so that a long one stops nobody's writes. */
import { parentPort, workerData } from 'node:worker_threads';
import { openReader } from './database.js';
import { type FindPlan, runFind } from './find.js';

export interface ReaderRequest {
  readonly id: number;
  readonly plan: FindPlan;
}

export type ReaderAnswer =
  | { readonly id: number; readonly rows: readonly string[] }
  | { readonly id: number; readonly code: string; readonly message: string };

const connection = openReader(String(workerData.file));

parentPort?.on('message', ({ id, plan }: ReaderRequest) => {
  let answer: ReaderAnswer;
  try {
    answer = { id, rows: runFind(connection, plan) };
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message: string };
    answer = { id, code: String(code ?? ''), message };
  }
  parentPort?.postMessage(answer);
});
