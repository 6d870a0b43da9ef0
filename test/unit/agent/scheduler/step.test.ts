import fc from 'fast-check';
import t from 'tap';
import {
  createSchedulerState,
  type SchedulerRules,
  type SchedulerState,
} from '../../../../src/agent/scheduler/state.js';
import { type Action, type SchedulerEvent, step } from '../../../../src/agent/scheduler/step.js';

const rules: SchedulerRules = {
  reserve: { minZones: 1, percent: 12 },
  idleMinMs: 10_000,
  idleMaxMs: 20_000,
  hogGraceMs: 300_000,
  hogKillMs: 15_000,
  acceptPerZone: 4,
  memorySlopMb: 1_000,
  diskSlopGb: 10,
};

/** Carries actions out in the simplest way, and checks what must always hold. */
class World {
  readonly state: SchedulerState;
  nowMs = 0;
  readonly ran = new Set<string>();
  readonly killed = new Set<string>();
  readonly refused = new Set<string>();
  readonly forgotten: string[] = [];
  /** Zone to the group whose programs it saw since its last reset. */
  readonly owner = new Map<string, string>();
  readonly loading = new Set<string>();
  readonly running = new Map<string, string>();
  readonly resetting = new Set<string>();
  readonly acceptedAhead = new Set<string>();

  constructor(
    readonly zones: readonly string[],
    change: Partial<SchedulerRules> = {},
  ) {
    this.state = createSchedulerState({ ...rules, ...change });
    for (const zone of zones) this.send({ event: 'zone resetting', zone });
    for (const zone of zones) this.send({ event: 'zone ready', zone });
  }

  send(event: SchedulerEvent): void {
    for (const action of step(this.state, event, { nowMs: this.nowMs, random: () => 0.5 })) this.carryOut(action);
  }

  add(group: string, task: string, needs: { memoryMb?: number; acceptAhead?: boolean } = {}): void {
    const { memoryMb = 0, acceptAhead = true } = needs;
    this.send({ event: 'task runnable', group: { id: group, memoryMb, diskGb: 0, acceptAhead }, task });
  }

  end(zone: string): void {
    this.running.delete(zone);
    this.send({ event: 'task ended', zone });
  }

  /** One thing that is under way comes to its end. @returns whether there was one. */
  finishOne(choice: number): boolean {
    const candidates = [
      ...[...this.loading].map((zone) => () => {
        this.loading.delete(zone);
        this.send({ event: 'stream loaded', zone });
      }),
      ...[...this.running.keys()].map((zone) => () => this.end(zone)),
      ...[...this.resetting].map((zone) => () => {
        this.resetting.delete(zone);
        this.owner.delete(zone);
        this.send({ event: 'zone ready', zone });
      }),
    ];
    candidates[choice % Math.max(1, candidates.length)]?.();
    return candidates.length > 0;
  }

  private carryOut(action: Action): void {
    switch (action.do) {
      case 'create stream':
        if (this.owner.has(action.zone)) throw new Error(`${action.zone} was not reset`);
        this.owner.set(action.zone, action.group);
        this.loading.add(action.zone);
        break;
      case 'run task':
        if (this.owner.get(action.zone) !== action.group) throw new Error(`${action.zone} belongs to another group`);
        if (this.running.has(action.zone)) throw new Error(`${action.zone} runs a task already`);
        if (this.ran.has(action.task)) throw new Error(`${action.task} runs twice`);
        this.ran.add(action.task);
        this.running.set(action.zone, action.task);
        break;
      case 'kill task':
        this.killed.add(action.task);
        this.running.delete(action.zone);
        break;
      case 'release zone':
        this.running.delete(action.zone);
        this.loading.delete(action.zone);
        this.resetting.add(action.zone);
        this.send({ event: 'zone resetting', zone: action.zone });
        break;
      case 'accept tasks':
        for (const task of action.tasks) this.acceptedAhead.add(task);
        break;
      case 'refuse tasks':
        for (const task of action.tasks) this.refused.add(task);
        break;
      case 'forget group':
        this.forgotten.push(action.group);
        break;
    }
    const busy = this.state.ready.size + this.state.resetting.size + this.state.streams.size + this.state.disabled.size;
    if (busy !== this.zones.length) throw new Error('a zone was lost');
    if (this.state.acceptedCount > 4 * this.zones.length) throw new Error('the accept window is exceeded');
  }
}

t.test('every task runs once, in a zone that no other group used since its reset', async () => {
  const command = fc.oneof(
    fc.record({ do: fc.constant('add' as const), group: fc.integer({ min: 0, max: 4 }) }),
    fc.record({ do: fc.constant('finish' as const), choice: fc.nat() }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 400_000 }) }),
  );
  const property = fc.property(
    fc.integer({ min: 1, max: 8 }),
    fc.array(command, { maxLength: 120 }),
    (zoneCount, commands) => {
      const world = new World(Array.from({ length: zoneCount }, (_, index) => `zone${index}`));
      let added = 0;
      for (const one of commands) {
        if (one.do === 'add') world.add(`group${one.group}`, `task${added++}`);
        else if (one.do === 'finish') world.finishOne(one.choice);
        else {
          world.nowMs += one.ms;
          world.send({ event: 'hog check' });
        }
      }
      for (let turn = 0; world.finishOne(turn); turn++) {
        if (turn > 10_000) throw new Error('no end in sight');
      }
      if (world.ran.size !== added) throw new Error(`${world.ran.size} of ${added} tasks ran`);
      if (world.state.taskCount !== 0 || world.state.acceptedCount !== 0) throw new Error('the count is off');
    },
  );
  fc.assert(property, { numRuns: 300 });
});

t.test('a waiting group gets an idle zone at once', async (t) => {
  const world = new World(['a', 'b']);
  world.add('first', 't1');
  world.add('first', 't2');
  while (world.ran.size < 2) world.finishOne(0);
  for (const zone of [...world.running.keys()]) world.end(zone);
  while (world.finishOne(0));
  world.add('second', 't3');
  world.add('third', 't4');
  while (world.ran.size < 4 && world.finishOne(0));
  t.equal(world.ran.size, 4, 'without any idle time passing');
});

t.test('a small group is not starved by a large one', async (t) => {
  const world = new World(['a', 'b', 'c', 'd']);
  for (let index = 0; index < 1_000; index++) world.add('large', `large${index}`);
  while (world.loading.size > 0) world.finishOne(0);
  t.equal(world.running.size, 3, 'the large group leaves the reserve alone');
  world.add('small', 'small0');
  while (world.loading.size > 0) world.finishOne(0);
  t.ok(world.ran.has('small0'), 'the small group starts at once in the reserve');
});

t.test('two equal groups end up with equal shares', async (t) => {
  const world = new World(Array.from({ length: 9 }, (_, index) => `zone${index}`));
  for (let index = 0; index < 400; index++) world.add('one', `one${index}`);
  for (let index = 0; index < 400; index++) world.add('two', `two${index}`);
  for (let turn = 0; turn < 200; turn++) world.finishOne(turn);
  const held = [...world.state.groups.values()].map((group) => group.streams.size);
  t.ok(Math.min(...held) >= 3, `zones held: ${held.join(', ')}`);
});

t.test('map tasks are accepted ahead in turn by group, and refilled when half of the window is used up', async (t) => {
  const world = new World(['a', 'b']);
  for (const group of ['one', 'two']) {
    for (let index = 0; index < 20; index++) world.add(group, `${group}-${index}`);
  }
  while (world.loading.size > 0) world.finishOne(0);
  world.acceptedAhead.clear();
  for (let turn = 0; turn < 8; turn++) for (const zone of [...world.running.keys()]) world.end(zone);
  const of = (group: string) => [...world.acceptedAhead].filter((task) => task.startsWith(group)).length;
  t.ok(Math.abs(of('one') - of('two')) <= 1, `${of('one')} and ${of('two')} accepted`);
  t.ok(world.state.acceptedCount >= 4 && world.state.acceptedCount <= 8, 'at most four per zone');
});

t.test('what needs more memory than there is, is refused', async (t) => {
  const world = new World(['a', 'b']);
  world.add('big', 'big0', { memoryMb: 2_000 });
  t.same([...world.refused], ['big0']);
  t.same(world.forgotten, ['big']);
});

t.test('a hog whose tasks never end loses its youngest task after the grace time', async (t) => {
  const world = new World(['a', 'b', 'c', 'd'], { reserve: { minZones: 0, percent: 0 } });
  for (let index = 0; index < 8; index++) world.add('hog', `hog${index}`);
  while (world.loading.size > 0) world.finishOne(0);
  t.equal(world.running.size, 4);
  for (let index = 0; index < 100; index++) world.add('other', `other${index}`);
  world.send({ event: 'hog check' });
  t.equal(world.killed.size, 0, 'not at once');
  world.nowMs += 300_000;
  world.send({ event: 'hog check' });
  t.equal(world.killed.size, 1);
  while (world.resetting.size > 0 || world.loading.size > 0) {
    const only = [...world.running.keys()].length;
    world.finishOne(world.loading.size > 0 ? 0 : only);
  }
  t.ok(
    [...world.ran].some((task) => task.startsWith('other')),
    'the waiting group runs',
  );
});

t.test('an operator gets a zone at the end of its task', async (t) => {
  const world = new World(['a', 'b']);
  world.add('one', 't0');
  while (world.loading.size > 0) world.finishOne(0);
  const [zone = ''] = world.running.keys();
  world.send({ event: 'zone quiesced', zone });
  t.notOk(world.resetting.has(zone), 'not before');
  world.end(zone);
  t.ok(world.resetting.has(zone));
});
