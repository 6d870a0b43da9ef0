/**
 * Zone life cycle: theory of operation. A zone runs commands of people who do not trust each other. Between two task
 * groups it must become as new, even when the agent dies half-way.
 *
 *   uninit --prepared--> ready --assigned--> busy --released--> uninit     any --failed--> disabled --enabled--> uninit
 *
 * Invariants: (1) `ready` is reached only by a reset that ended well; (2) a busy zone belongs to one (job, phase);
 * (3) nothing is kept on disk: a new agent takes every zone to be `uninit`. Remembering clean zones would save a reset
 * per zone and start, and make every bug of the last run a bug of the next. An operator who disables a zone is a
 * failure like any other: the reason says who it was.
 */
import assert from 'node:assert/strict';

export type ZoneState = 'uninit' | 'ready' | 'busy' | 'disabled';
export type ZoneEvent = 'prepared' | 'assigned' | 'released' | 'failed' | 'enabled';

/** `null` is a programming error: it stops the process and is never ignored. */
// biome-ignore format: table
const transitions: Record<ZoneState, Record<ZoneEvent, ZoneState | null>> = {
  uninit:   { prepared: 'ready', assigned: null,   released: null,     failed: 'disabled', enabled: null },
  ready:    { prepared: null,    assigned: 'busy', released: null,     failed: 'disabled', enabled: null },
  busy:     { prepared: null,    assigned: null,   released: 'uninit', failed: 'disabled', enabled: null },
  disabled: { prepared: null,    assigned: null,   released: null,     failed: 'disabled', enabled: 'uninit' },
};

/** @throws AssertionError when `event` cannot happen in `state`. */
export function nextState(state: ZoneState, event: ZoneEvent): ZoneState {
  const next = transitions[state][event];
  assert(next !== null, `zone event "${event}" cannot happen in state "${state}"`);
  return next;
}
