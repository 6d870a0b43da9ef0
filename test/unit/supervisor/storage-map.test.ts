import t from 'tap';
import { StorageMap } from '../../../src/supervisor/storage-map.js';

t.test('everybody who asks for an unknown node waits for the look that is under way', async (t) => {
  let looks = 0;
  let end = () => {};
  const query = {
    wake() {},
    fence() {
      looks++;
      return new Promise<void>((resolve) => {
        end = resolve;
      });
    },
  };
  const view = new StorageMap().view(query, { nowMs: () => 0, after: () => () => {} });
  const done: string[] = [];
  const asked = ['one', 'two'].map((name) => view.refresh().then(() => done.push(name)));
  await Promise.resolve();
  t.same(done, []);
  end();
  await Promise.all(asked);
  t.same(done, ['one', 'two']);
  t.equal(looks, 1);
  await view.refresh();
  t.equal(looks, 1, 'not again in the same second');
});
