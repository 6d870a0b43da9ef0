import { EventEmitter } from 'node:events';
import type http from 'node:http';
import t from 'tap';
import { createLongPolls } from '../../../../src/agent/taskcontrol/zone-requests.js';
import { handClock } from '../../../support/hand-clock.js';

const waitMs = 1000;

/** A request that waits; `ready` is when it can be answered. */
function parked(polls: ReturnType<typeof createLongPolls>) {
  const response = new EventEmitter();
  const request = { ready: false, answered: 0, expired: 0, close: () => response.emit('close') };
  const look = () => {
    if (request.ready) request.answered++;
    return request.ready;
  };
  polls.park(response as unknown as http.ServerResponse, look, () => {
    request.expired++;
  });
  return request;
}

t.test('who is woken for nothing waits on, and is told in its time', async (t) => {
  const clock = handClock();
  const polls = createLongPolls(clock, waitMs);
  const request = parked(polls);
  clock.advance(waitMs - 1);
  polls.wake();
  t.match(request, { answered: 0, expired: 0 });
  clock.advance(1);
  t.match(request, { answered: 0, expired: 1 });
  t.equal(polls.size, 0);
});

t.test('who is answered, or goes, is told nothing more', async (t) => {
  const clock = handClock();
  const polls = createLongPolls(clock, waitMs);
  const [answered, gone] = [parked(polls), parked(polls)];
  answered.ready = true;
  polls.wake();
  polls.wake();
  gone.close();
  gone.ready = true;
  polls.wake();
  clock.advance(2 * waitMs);
  t.match(
    [answered, gone],
    [
      { answered: 1, expired: 0 },
      { answered: 0, expired: 0 },
    ],
  );
  t.equal(clock.timers, 0);
});
