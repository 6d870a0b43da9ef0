import t from 'tap';
import { nextState, type ZoneEvent, type ZoneState } from '../../../../src/agent/zones/life-cycle.js';

const states: readonly ZoneState[] = ['uninit', 'ready', 'busy', 'disabled', 'forgotten'];
const events: readonly ZoneEvent[] = ['prepared', 'assigned', 'released', 'ended', 'failed', 'enabled', 'removed'];

const allowed = new Map([
  ['uninit prepared', 'ready'],
  ['uninit failed', 'disabled'],
  ['ready assigned', 'busy'],
  ['ready ended', 'uninit'],
  ['ready failed', 'disabled'],
  ['busy released', 'uninit'],
  ['busy failed', 'disabled'],
  ['disabled enabled', 'uninit'],
  ['disabled removed', 'forgotten'],
]);

for (const state of states) {
  for (const event of events) {
    const next = allowed.get(`${state} ${event}`);
    if (next === undefined)
      t.throws(() => nextState(state, event), `${event} cannot happen to a zone that is ${state}`);
    else t.equal(nextState(state, event), next, `${state}, ${event}`);
  }
}
