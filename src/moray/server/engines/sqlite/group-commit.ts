/**
 * Group commit: theory of operation. Making a transaction durable costs a wait for the disk, whatever is in it. Writes
 * that arrived together therefore share one: each runs in a savepoint of its own, so that one that fails takes back
 * only itself, and all are answered when the disk has the log.
 *
 *   arrived -> [ savepoint: work -> release | roll back ]* -> commit -> sync of the log -> answers, notifications
 *
 * The sync runs on another thread: meanwhile further groups commit, and the next sync is for all of them.
 *
 * Invariants: (1) nothing is acknowledged before it is committed and synced; (2) when the commit fails, everything in it
 * fails with the same error and nothing of it is stored; (3) answers keep the order of the commits; (4) a sync that
 * fails ends the server: what the disk has is unknown then, and asking it again would not tell. A reader may see a
 * write before it is synced; whatever it writes in consequence is later in the same log, and so synced later.
 */
import type { Writer } from './database.js';

export interface GroupCommit {
  /** Runs `work`, in order of arrival, and resolves to its result once that is durable. */
  write<Result>(work: () => Result): Promise<Result>;
  /** Finishes what was accepted. */
  stop(): Promise<void>;
}

interface Write {
  readonly work: () => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A group is closed after this long, so that the first in it does not wait for a crowd behind it. */
const maxGroupMs = 50;

interface GroupCommitOptions {
  readonly connection: Writer;
  /** Makes clients' errors of SQLite's. */
  readonly translate: (error: unknown) => unknown;
  /** Called when work was taken back. */
  readonly onRollback: () => void;
  readonly onGroup?: (writes: number, seconds: number) => void;
}

export function createGroupCommit({ connection, translate, onRollback, onGroup }: GroupCommitOptions): GroupCommit {
  let waiting: Write[] = [];
  let scheduled = false;
  let idle = () => {};
  /** Of groups that are committed and not synced. */
  let committed: (() => void)[] = [];
  let syncing: Promise<void> | null = null;

  const schedule = () => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      runGroup();
      if (waiting.length > 0) schedule();
      else idle();
    });
  };

  const answerDurably = (answers: readonly (() => void)[]) => {
    if (connection.makeDurable === undefined) {
      for (const answer of answers) answer();
      return;
    }
    committed.push(...answers);
    syncing ??= syncAll(connection.makeDurable);
  };

  /** To be called with something committed: `syncing` must not be cleared before it is set. */
  const syncAll = async (makeDurable: () => Promise<void>) => {
    do {
      const covered = committed;
      committed = [];
      await makeDurable();
      for (const answer of covered) answer();
    } while (committed.length > 0);
    syncing = null;
  };

  const runGroup = () => {
    const startedMs = performance.now();
    const answers: (() => void)[] = [];
    const group: Write[] = [];
    let next = 0;
    try {
      connection.statement('BEGIN IMMEDIATE').run();
      // One at least, though beginning alone may have taken that long.
      for (; next < waiting.length && (next === 0 || performance.now() - startedMs < maxGroupMs); next++) {
        const write = waiting[next];
        if (write === undefined) break;
        group.push(write);
        answers.push(runOne(write));
      }
      connection.statement('COMMIT').run();
    } catch (error) {
      if (connection.inTransaction()) connection.statement('ROLLBACK').run();
      onRollback();
      const translated = translate(error);
      // Nothing could begin: then it is true of all that wait.
      for (const write of group.length === 0 ? waiting : group) write.reject(translated);
      waiting = group.length === 0 ? [] : waiting.slice(group.length);
      return;
    }
    waiting = waiting.slice(next);
    onGroup?.(group.length, (performance.now() - startedMs) / 1000);
    answerDurably(answers);
  };

  /** @throws what ended the whole transaction, as a full disk does. */
  const runOne = (write: Write): (() => void) => {
    connection.statement('SAVEPOINT request').run();
    try {
      const result = write.work();
      connection.statement('RELEASE request').run();
      return () => write.resolve(result);
    } catch (error) {
      if (!connection.inTransaction()) throw error;
      connection.statement('ROLLBACK TO request').run();
      connection.statement('RELEASE request').run();
      onRollback();
      const translated = translate(error);
      return () => write.reject(translated);
    }
  };

  return {
    write(work) {
      return new Promise((resolve, reject) => {
        waiting.push({ work, resolve: resolve as (result: unknown) => void, reject });
        schedule();
      });
    },
    async stop() {
      if (scheduled) {
        await new Promise<void>((resolve) => {
          idle = resolve;
        });
      }
      await syncing;
    },
  };
}
