/** The rule of promptness, with a supervisor whose looks are made by hand. */
import t from 'tap';
import { selfChannel } from '../../src/bus/channels.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import { domainQueries } from '../../src/supervisor/queries.js';
import { type Life, startLife } from './process.js';
import { createPromptness } from './promptness.js';
import { createStore, type Store } from './store.js';
import { createVirtualTime } from './time.js';

const timePollMs = 1_000;
const filter = domainQueries.doneTasks.filter('sup');

async function startWorld() {
  const time = createVirtualTime();
  const life = startLife('sup', 1, time, 0);
  const lives = new Map<string, Life>([['sup', life]]);
  const promptness = createPromptness({ store: () => store, time, lifeOf: (name) => lives.get(name), timePollMs });
  let violation: string | null = null;
  const store: Store = createStore(
    () => time.nowMs,
    (changes) => {
      try {
        promptness.committed(changes);
      } catch (error) {
        violation ??= (error as Error).message;
      }
    },
  );
  const put = (bucket: 'domain' | 'task' | 'health', key: string, value: object) =>
    store.batch([{ operation: 'put', bucket: defaultBuckets[bucket], key, value }], 'somebody');
  const ask = () => promptness.asked(life, defaultBuckets.task, `(&${filter}(_id>=7))`);
  const task = { taskId: 't', jobId: 'j', domain: 'sup', state: 'done', timeDispatchDone: 'then' };
  put('domain', 'sup', { domainId: 'sup', operatedBy: 'sup', wantTransfer: '' });
  return {
    life,
    put,
    ask,
    look(isAnswered = true) {
      const look = ask();
      look.reached();
      look.ended(isAnswered);
    },
    hear: () => promptness.heard(life, selfChannel('sup'), 'health'),
    taskEnds: () => put('task', 't', task),
    after: (ms: number) => time.run(() => false, time.nowMs + ms),
    /** Something is committed, so that the rule is looked at. */
    violation(): string | null {
      put('health', 'h', { component: 'agent' });
      return violation;
    },
  };
}

type World = Awaited<ReturnType<typeof startWorld>>;

const cases: readonly [title: string, begin: (world: World) => void, fineMs: number, lateMs: number | null][] = [
  ['whoever hears nothing looks at the fast rate', ({ look }) => look(), 1_300, 1_400],
  [
    'whoever hears itself may rely on push, but looks now and then',
    ({ look, hear }) => {
      look();
      hear();
    },
    11_200,
    11_400,
  ],
  ['a look that failed is repeated after the longest back-off', ({ look }) => look(false), 11_200, 11_300],
  ['an answer that does not come is waited for', ({ ask }) => void ask(), 71_200, 71_300],
  ['nobody who has never looked is late: it begins', () => {}, 200_000, null],
  [
    'nor who was asked to hand the domain back',
    ({ look, put }) => {
      look();
      put('domain', 'sup', { domainId: 'sup', operatedBy: 'sup', wantTransfer: 'peer' });
    },
    200_000,
    null,
  ],
  [
    'nor who has just got the domain',
    ({ look, put }) => {
      look();
      put('domain', 'sup', { domainId: 'sup', operatedBy: 'peer', wantTransfer: '' });
      put('domain', 'sup', { domainId: 'sup', operatedBy: 'sup', wantTransfer: '' });
    },
    200_000,
    null,
  ],
  [
    'nor who is dead',
    ({ look, life }) => {
      look();
      life.end();
    },
    200_000,
    null,
  ],
];

for (const [title, begin, fineMs, lateMs] of cases)
  t.test(title, async (t) => {
    const world = await startWorld();
    begin(world);
    world.taskEnds();
    await world.after(fineMs);
    t.equal(world.violation(), null);
    if (lateMs === null) return;
    await world.after(lateMs - fineMs);
    t.match(world.violation(), /^"done tasks" of domain "sup" is overdue by \d+ ms: task\/t has been waiting/);
  });

t.test('who stands still looks when it goes on', async (t) => {
  const world = await startWorld();
  world.look();
  world.taskEnds();
  world.life.standStill(world.life.clock.nowMs() + 30_000);
  await world.after(31_000);
  t.equal(world.violation(), null);
  await world.after(400);
  t.match(world.violation(), /overdue/);
});

t.test(
  'a record that was looked for waits for nobody; one that a look may have missed waits for the next',
  async (t) => {
    const world = await startWorld();
    const look = world.ask();
    look.reached();
    world.taskEnds();
    await world.after(5);
    look.ended(true);
    await world.after(1_400);
    t.match(world.violation(), /overdue/);
    const other = await startWorld();
    other.taskEnds();
    await other.after(5);
    other.look();
    await other.after(200_000);
    t.equal(other.violation(), null);
  },
);
