import t from 'tap';
import { shareRuns } from '../../../src/common/share-runs.js';

function recorded() {
  const runs: { readonly key: string; end(result: string): void; fail(error: Error): void }[] = [];
  const ask = shareRuns<string>(
    (key) => new Promise((resolve, reject) => void runs.push({ key, end: resolve, fail: reject })),
  );
  return { runs, ask };
}

t.test('who asks during a run shares the next one', async (t) => {
  const { runs, ask } = recorded();
  const first = ask('a');
  const later = [ask('a'), ask('a')];
  t.equal(runs.length, 1);
  runs[0]?.end('one');
  t.equal(await first, 'one');
  t.equal(runs.length, 2, 'one run for both');
  const last = ask('a');
  runs[1]?.end('two');
  t.same(await Promise.all(later), ['two', 'two']);
  runs[2]?.end('three');
  t.equal(await last, 'three');
  void ask('a');
  t.equal(runs.length, 4, 'nothing is remembered');
});

t.test('keys do not wait for each other, and a failure is told to those who shared it alone', async (t) => {
  const { runs, ask } = recorded();
  const failing = ask('a');
  const next = ask('a');
  const other = ask('b');
  t.same(
    runs.map(({ key }) => key),
    ['a', 'b'],
  );
  runs[0]?.fail(new Error('no'));
  await t.rejects(failing, { message: 'no' });
  runs[1]?.end('b');
  runs[2]?.end('a');
  t.equal(await next, 'a');
  t.equal(await other, 'b');
});
