import { setImmediate as settle } from 'node:timers/promises';
import t from 'tap';
import { createLogger } from '../../../../src/common/logging.js';
import { createPicker } from '../../../../src/frontdoor/placement/picker.js';
import { handClock } from '../../../support/hand-clock.js';

const pollMs = 5_000;
const lagMs = 60_000;
const log = createLogger({ name: 'test', level: 'fatal', stream: process.stderr });

/** A store with one node's heartbeat, which can be away. */
function setUp() {
  const clock = handClock();
  const store = { isAway: false, timestamp: 0 };
  const moray = {
    async *findObjects() {
      if (store.isAway) throw new Error('nobody there');
      yield { value: { manta_storage_id: 'one', availableMB: 1_000, percentUsed: 1, timestamp: store.timestamp } };
    },
  };
  const picker = createPicker({ moray: moray as never, clock, log, pollMs, lagMs });
  const pass = async (ms: number) => {
    await settle();
    for (let left = ms; left > 0; left -= pollMs) {
      clock.advance(Math.min(left, pollMs));
      await settle();
    }
  };
  const ids = async () => (await picker.nodes()).map(({ id }) => id);
  return { store, picker, pass, ids };
}

t.test('a node whose heartbeat has grown old is given nothing', async (t) => {
  const { store, picker, pass, ids } = setUp();
  t.same(await ids(), ['one']);
  await pass(lagMs);
  t.same(await ids(), ['one']);
  await pass(pollMs);
  t.same(await ids(), []);
  t.ok(picker.isAway('one'));
  store.timestamp = lagMs + pollMs;
  await pass(pollMs);
  t.same(await ids(), ['one'], 'its next one counts');
  picker.stop();
});

t.test('an outage of the store is not the death of its nodes', async (t) => {
  const { store, picker, pass, ids } = setUp();
  await pass(pollMs);
  store.isAway = true;
  await pass(90_000);
  t.same(await ids(), ['one'], 'nobody knows better');
  store.isAway = false;
  await pass(pollMs);
  t.same(await ids(), ['one'], 'it has had no time for another heartbeat');
  store.isAway = true;
  await pass(30_000);
  store.isAway = false;
  await pass(pollMs);
  t.same(await ids(), ['one'], 'nor after a second outage');
  await pass(lagMs + pollMs);
  t.same(await ids(), [], 'now it has');
  picker.stop();
});
