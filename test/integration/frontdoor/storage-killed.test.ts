/** A small round of what `make soak` does for longer. */
import t from 'tap';
import { startTestFrontdoor } from '../../support/frontdoor.js';
import { killStorageNode } from '../../support/killed-storage.js';

t.setTimeout(300_000);

t.test('a storage node that is killed during uploads and reads costs nothing that was acknowledged', async (t) => {
  const frontdoor = await startTestFrontdoor(t, { storage: { pollMs: 100 } });
  const report = await killStorageNode(t, frontdoor, { kills: 2, uploadsBetween: 12, uploaders: 3, readers: 2 });
  t.comment(JSON.stringify(report));
  t.same(report.unreadable, []);
  t.same(report.lost, []);
  t.ok(report.onKilled > 0, 'the node took copies');
});
