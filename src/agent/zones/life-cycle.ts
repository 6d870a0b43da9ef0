/**
 * Zone life cycle: theory of operation. A zone runs commands of people who do not trust each other. Between two task
 * groups it must become as new, even when the agent dies half-way.
 *
 *   uninit --prepared--> ready --assigned--> busy --released--> uninit     any --failed--> disabled --enabled--> uninit
 *                        ready --ended--> uninit (its lackey or process 1 is gone)        disabled --removed--> forgotten
 *
 * Invariants: (1) `ready` is reached only by a reset that ended well; (2) a busy zone belongs to one (job, phase);
 * (3) nothing is kept on disk: a new agent takes every zone to be `uninit`. Remembering clean zones would save a reset
 * per zone and start, and make every bug of the last run a bug of the next. An operator who disables a zone is a
 * failure like any other: the reason says who it was.
 */
import assert from 'node:assert/strict';

export type ZoneState = 'uninit' | 'ready' | 'busy' | 'disabled' | 'forgotten';
export type ZoneEvent = 'prepared' | 'assigned' | 'released' | 'ended' | 'failed' | 'enabled' | 'removed';

/** What is not here is a programming error: it stops the process and is never ignored. */
// biome-ignore format: table
const transitions: Record<ZoneState, Partial<Record<ZoneEvent, ZoneState>>> = {
  uninit:    { prepared: 'ready',                                         failed: 'disabled' },
  ready:     { assigned: 'busy',   ended: 'uninit',                       failed: 'disabled' },
  busy:      { released: 'uninit',                                        failed: 'disabled' },
  disabled:  { enabled: 'uninit',  removed: 'forgotten' },
  forgotten: {},
};

/** @throws AssertionError when `event` cannot happen in `state`. */
export function nextState(state: ZoneState, event: ZoneEvent): ZoneState {
  const next = transitions[state][event];
  assert(next !== undefined, `zone event "${event}" cannot happen in state "${state}"`);
  return next;
}
