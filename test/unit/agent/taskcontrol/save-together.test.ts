import { Readable } from 'node:stream';
import t from 'tap';
import { createTogetherSaver } from '../../../../src/agent/taskcontrol/save-together.js';
import { createLogger } from '../../../../src/common/logging.js';
import { maxBytesTogether, maxObjectsTogether, type SaveTogether } from '../../../../src/taskapi/save-together.js';
import { handClock } from '../../../support/hand-clock.js';

/** Outputs that leave at once. */
const burst = 4;
const log = createLogger({ name: 'test', level: 'fatal', stream: process.stderr });

interface Sent {
  readonly path: string;
  readonly authorization: unknown;
  readonly names: readonly string[];
}

/** @param answer status and body for a request. */
function setUp(answer: (sent: Sent) => { status: number; body: string } = ({ names }) => saved(names.map(() => true))) {
  const clock = handClock();
  const requests: Sent[] = [];
  const upstream = {
    async fetch(request: { path: string; headers: Record<string, unknown>; body?: Uint8Array }) {
      const { objects } = JSON.parse(Buffer.from(request.body ?? []).toString()) as SaveTogether;
      const { path, headers } = request;
      const sent = { path, authorization: headers['authorization'], names: objects.map(({ name }) => name) };
      requests.push(sent);
      const { status, body } = answer(sent);
      return Object.assign(Readable.from([Buffer.from(body)]), { statusCode: status }) as never;
    },
  };
  const saver = createTogetherSaver({ upstream: upstream as never, clock, log });
  const save = (name: string, job = 'j1', sizeBytes = 1) =>
    saver.save({ login: 'bob', jobId: job, token: `token of ${job}`, path: name, bytes: Buffer.alloc(sizeBytes) });
  const saveAll = (names: readonly string[], job?: string) => Promise.all(names.map((name) => save(name, job)));
  return { clock, requests, saver, save, saveAll };
}

function saved(each: readonly boolean[]) {
  return { status: 200, body: JSON.stringify({ saved: each }) };
}

const names = (count: number, prefix = 'n') => Array.from({ length: count }, (_, index) => `${prefix}${index}`);

t.test('the few outputs of a small job go alone, and at once', async (t) => {
  const { requests, saveAll } = setUp();
  t.same(await saveAll(names(burst)), [false, false, false, false], 'each for its own PUT');
  t.same(requests, []);
});

t.test('what comes while many come leaves with the next turn, in one request per job', async (t) => {
  const { clock, requests, saveAll } = setUp();
  await saveAll(names(burst));
  const first = saveAll(['a', 'b', 'c']);
  const second = saveAll(['x', 'y'], 'j2');
  t.same(requests, []);
  clock.advance(1_000);
  t.same(await first, [true, true, true]);
  t.same(await second, [true, true]);
  t.same(requests, [
    { path: '/bob/jobs/j1/live/objects', authorization: 'Token token of j1', names: ['a', 'b', 'c'] },
    { path: '/bob/jobs/j2/live/objects', authorization: 'Token token of j2', names: ['x', 'y'] },
  ]);
});

t.test('what the front door leaves alone, or a request that fails, is for the caller', async (t) => {
  for (const [answer, expected] of [
    [saved([true, false, true]), [true, false, true]],
    [saved([true]), [true, false, false]],
    [{ status: 503, body: '{}' }, [false, false, false]],
    [{ status: 200, body: 'no JSON' }, [false, false, false]],
    [{ status: 200, body: '{"saved":"all"}' }, [false, false, false]],
  ] as const) {
    const { clock, saveAll } = setUp(() => answer);
    await saveAll(names(burst));
    const results = saveAll(['a', 'b', 'c']);
    clock.advance(1_000);
    t.same(await results, expected, JSON.stringify(answer));
  }
});

t.test('no request is larger than its limits', async (t) => {
  const { clock, requests, save, saveAll } = setUp();
  await saveAll(names(burst));
  const many = saveAll(names(maxObjectsTogether + 2));
  const large = Promise.all([maxBytesTogether - 1, 1, 1].map((size, index) => save(`large${index}`, 'j2', size)));
  clock.advance(1_000);
  t.ok((await many).every(Boolean));
  t.same(await large, [true, true, false], 'the last was alone');
  t.same(
    requests.map((request) => request.names.length),
    [maxObjectsTogether, 2, 2],
  );
});

t.test('at the end nobody is left waiting', async (t) => {
  const { clock, requests, saver, saveAll } = setUp();
  await saveAll(names(burst));
  const waiting = saveAll(['a', 'b']);
  saver.stop();
  t.same(await waiting, [false, false]);
  clock.advance(1_000);
  t.same(requests, []);
  t.equal(clock.timers, 0);
});
