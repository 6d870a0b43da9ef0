/** What holds for every sequence of events. What must hold after each single event is checked by the world itself. */
import fc from 'fast-check';
import t from 'tap';
import { overscheduled } from '../../../../src/agent/scheduler/shares.js';
import { loadOf, poolLoad } from '../../../../src/agent/scheduler/state.js';
import { type Needs, World } from '../../../support/scheduler-world.js';

const named = (count: number, name: string) => Array.from({ length: count }, (_, index) => `${name}${index}`);

const usual: Needs = {};
/** Of five groups: plain ones, those that need more memory or disk than a zone has, and one that asks too much. */
const needs = [
  usual,
  { acceptAhead: false, isOpen: true },
  { memoryMb: 600 },
  { memoryMb: 400, diskGb: 6 },
  { diskGb: 11 },
];

const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('add' as const), choice: fc.nat({ max: 4 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('finish' as const), choice: fc.nat() }) },
  fc.record({ do: fc.constant('withdraw' as const), choice: fc.nat() }),
  fc.record({ do: fc.constant('fail' as const), choice: fc.nat() }),
  fc.record({ do: fc.constant('close' as const), choice: fc.nat({ max: 4 }) }),
  fc.record({ do: fc.constant('toggle' as const), choice: fc.nat() }),
  fc.record({ do: fc.constant('quiesce' as const), choice: fc.nat() }),
  fc.record({ do: fc.constant('wait' as const), choice: fc.integer({ min: 0, max: 400_000 }) }),
);

function play(world: World, commands: readonly { readonly do: string; readonly choice: number }[]): number {
  let added = 0;
  for (const { do: what, choice } of commands) {
    if (what === 'add') world.add(`group${choice}`, `task${added++}`, needs[choice]);
    else if (what === 'finish') world.finishOne(choice);
    else if (what === 'withdraw') world.withdraw([...world.queued.keys()][choice % (world.queued.size || 1)] ?? '');
    else if (what === 'fail') world.failStream(choice);
    else if (what === 'close') world.send({ event: 'group complete', group: `group${choice}` });
    else if (what === 'toggle') world.toggleZone(choice);
    else if (what === 'quiesce') {
      const zone = [...world.state.streams.keys()][choice % (world.state.streams.size || 1)];
      if (zone !== undefined) world.send({ event: 'zone quiesced', zone });
    } else {
      world.nowMs += choice;
      world.send({ event: 'hog check' });
    }
  }
  return added;
}

function drain(world: World): void {
  world.send({ event: 'group complete', group: 'group1' });
  while (world.disabled.size > 0) world.toggleZone(world.resetting.size);
  for (let turn = 0; world.finishOne(turn); turn++) {
    if (turn > 10_000) throw new Error('no end in sight');
    if (turn % 10 === 9) world.send({ event: 'hog check' });
  }
  world.nowMs += 20_000;
  world.send({ event: 'hog check' });
  while (world.finishOne(0));
}

t.test('whatever happens, every task runs once or is refused or withdrawn, and nothing is left', async () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 8 }),
    fc.array(command, { maxLength: 150 }),
    (zoneCount, commands) => {
      const world = new World(named(zoneCount, 'zone'));
      const added = play(world, commands);
      drain(world);
      const ended = world.ran.size + world.refused.size + world.withdrawn.size;
      if (ended !== added) throw new Error(`${ended} of ${added} tasks ran or ended`);
      const { state } = world;
      if (state.groups.size + state.streams.size + state.taskCount + state.acceptedCount > 0) throw new Error('left');
      if (state.slop.granted.size > 0) throw new Error('slop is leaked');
      if (state.ready.size !== zoneCount) throw new Error('a zone is lost');
    },
  );
  fc.assert(property, { numRuns: 500 });
});

t.test('memory that idle and resetting zones hold is waited for', async () => {
  const property = fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.nat({ max: 1 })), (zoneCount, groups) => {
    const world = new World(named(zoneCount, 'zone'));
    groups.forEach((group, index) => {
      // The zones of the ones before are idle or being reset, and hold most of the memory.
      const task = `task${index}`;
      world.add(`group${group}`, task, { memoryMb: 600 });
      while (!world.ran.has(task) && world.finishOne(0));
      for (const zone of [...world.running.keys()]) world.end(zone);
    });
    return world.refused.size === 0;
  });
  fc.assert(property, { numRuns: 50 });
});

/** Every task takes a second, if it `ends` then; a reset too; `hog check` every three. */
function runFor(world: World, seconds: number, ends: (task: string) => boolean = () => true): void {
  for (let second = 0; second < seconds; second++) {
    world.nowMs += 1_000;
    const [loading, running, resetting] = [[...world.loading], [...world.running], [...world.resetting]];
    for (const zone of resetting) if (world.resetting.has(zone)) world.ready(zone);
    for (const zone of loading) if (world.loading.has(zone)) world.loaded(zone);
    for (const [zone, task] of running) if (world.running.get(zone) === task && ends(task)) world.end(zone);
    if (second % 3 === 0) world.send({ event: 'hog check' });
  }
}

t.test(
  'nobody holds too much for longer than a task, and nobody is without a zone while there are enough',
  async () => {
    const sizes = fc.array(fc.integer({ min: 500, max: 2_000 }), { minLength: 1, maxLength: 6 });
    const property = fc.property(fc.integer({ min: 8, max: 16 }), sizes, (zoneCount, groups) => {
      const world = new World(named(zoneCount, 'zone'));
      groups.forEach((size, index) => {
        for (let task = 0; task < size; task++) world.add(`group${index}`, `group${index}-${task}`);
      });
      runFor(world, 20);
      const pool = poolLoad(world.state);
      for (const group of world.state.groups.values()) {
        if (group.streams.size < 1) throw new Error(`${group.needs.id} has no zone`);
        if (overscheduled(loadOf(group), pool) > 1) throw new Error(`${group.needs.id} holds too much`);
      }
      const busy = world.state.streams.size + world.state.resetting.size;
      if (busy < pool.capacity) throw new Error(`${busy} of ${pool.capacity} zones work`);
    });
    fc.assert(property, { numRuns: 15 });
  },
);

t.test('with more groups than zones, each group gets its turn', async () => {
  const property = fc.property(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 6 }), (zoneCount, more) => {
    const world = new World(named(zoneCount, 'zone'));
    const groups = named(zoneCount + more, 'group');
    for (const group of groups) for (let task = 0; task < 200; task++) world.add(group, `${group}-${task}`);
    runFor(world, Math.ceil(groups.length / zoneCount) * 14);
    const started = groups.filter((group) => world.ran.has(`${group}-0`));
    if (started.length < groups.length)
      throw new Error(`only ${started.length} of ${groups.length} groups ran something`);
  });
  fc.assert(property, { numRuns: 20 });
});

t.test('jobs whose reducers wait for their own map tasks all end, however many there are', async () => {
  const job = fc.record({ maps: fc.integer({ min: 1, max: 20 }), reducers: fc.integer({ min: 1, max: 4 }) });
  const property = fc.property(
    fc.integer({ min: 1, max: 8 }),
    fc.array(job, { minLength: 1, maxLength: 12 }),
    (zoneCount, jobs) => {
      const world = new World(named(zoneCount, 'zone'));
      jobs.forEach(({ maps, reducers }, index) => {
        // The worst order: reducers are there first.
        for (const task of named(reducers, `${index}/1-`)) world.add(`${index}/1`, task, { isOpen: true });
        for (const task of named(maps, `${index}/0-`)) world.add(`${index}/0`, task);
      });
      const mapsLeft = jobs.map(({ maps }) => maps);
      const total = jobs.reduce((sum, { maps, reducers }) => sum + maps + reducers, 0);
      for (let turn = 0; world.state.taskCount > 0; turn++) {
        if (turn > 60 * total) throw new Error(`${world.state.taskCount} of ${total} tasks never end`);
        runFor(world, 1, (task) => {
          const [index = '', phase = ''] = task.split(/[/-]/);
          if (phase === '1') return mapsLeft[Number(index)] === 0;
          const left = (mapsLeft[Number(index)] ?? 0) - 1;
          mapsLeft[Number(index)] = left;
          if (left === 0) world.send({ event: 'group complete', group: `${index}/1` });
          return true;
        });
      }
    },
  );
  fc.assert(property, { numRuns: 30 });
});
