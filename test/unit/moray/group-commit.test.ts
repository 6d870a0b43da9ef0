/** Group commit on a connection that is slow where it hurts. */
import t from 'tap';
import type { Statement, Writer } from '../../../src/moray/server/engines/sqlite/database.js';
import { createGroupCommit } from '../../../src/moray/server/engines/sqlite/group-commit.js';

/** Blocks for longer than a group may last at the first `BEGIN`, as a machine under load can. */
function slowConnection(): { connection: Writer; ran: string[] } {
  const ran: string[] = [];
  const run = (sql: string) => {
    const isFirst = ran.length === 0;
    ran.push(sql);
    const endMs = performance.now() + 60;
    while (isFirst && performance.now() < endMs);
    return 0;
  };
  const statement = (sql: string) => ({ run: () => run(sql) }) as unknown as Statement;
  const connection = { statement, exec: run, inTransaction: () => false, close: () => {}, makeDurable: async () => {} };
  return { connection, ran };
}

t.test('a beginning that takes longer than a group holds up nobody for ever', async (t) => {
  const { connection, ran } = slowConnection();
  const writes = createGroupCommit({ connection, translate: (error) => error, onRollback: () => {} });
  t.same(await Promise.all([writes.write(() => 1), writes.write(() => 2)]), [1, 2]);
  t.equal(await writes.write(() => 3), 3, 'what comes later is answered as well');
  t.ok(!ran.some((sql, index) => sql === 'COMMIT' && ran[index - 1]?.startsWith('BEGIN')), 'no group is empty');
  await writes.stop();
});
