import t from 'tap';
import { World } from '../../../support/scheduler-world.js';

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

t.test('a group with nothing to do leaves its last zone to one that lacks its share', async (t) => {
  const world = new World(['a', 'b', 'c', 'd']);
  for (const group of ['first', 'second', 'third']) {
    world.add(group, `${group}-task`);
    while (world.finishOne(0));
  }
  t.equal(world.state.idle.size, 3, 'each keeps its zone while nobody wants it');
  for (let index = 0; index < 1_000; index++) world.add('large', `large${index}`);
  while (world.loading.size + world.resetting.size > 0) {
    for (const zone of [...world.loading]) world.loaded(zone);
    for (const zone of [...world.resetting]) world.ready(zone);
  }
  t.equal(world.running.size, 3, 'the large group has all but the reserve, without any idle time passing');
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

t.test('a group keeps its only zone for a turn, and a slow set-up does not cost it', async (t) => {
  const world = new World(['a']);
  for (const task of ['one0', 'one1', 'one2']) world.add('one', task);
  world.add('two', 'two0');
  world.nowMs += 60_000;
  world.loaded('a');
  t.ok(world.ran.has('one0'), 'the turn begins with the first task');
  world.end('a');
  t.ok(world.ran.has('one1'), 'and is not over yet');
  world.nowMs += 10_000;
  world.end('a');
  t.notOk(world.ran.has('one2'), 'the other group waits');
  while (!world.ran.has('one2') && world.finishOne(0));
  t.same([...world.ran], ['one0', 'one1', 'two0', 'one2']);
});

t.test('reducers that wait for others leave half of the zones to them', async (t) => {
  const world = new World(['a', 'b', 'c', 'd']);
  for (const job of ['one', 'two', 'three', 'four', 'five']) world.add(`${job}/1`, `${job}-reducer`, { isOpen: true });
  while (world.loading.size > 0) world.finishOne(0);
  t.equal(world.running.size, 2);
  world.add('one/0', 'one-map');
  while (world.loading.size > 0) world.finishOne(0);
  t.ok(world.ran.has('one-map'));
  world.send({ event: 'group complete', group: 'three/1' });
  while (world.loading.size > 0) world.finishOne(0);
  t.ok(world.ran.has('three-reducer'), 'one that waits for nobody gets a zone');
  t.notOk(world.ran.has('four-reducer'));
});

t.test('of a hog the youngest task is killed, and the next one only some time later', async (t) => {
  const zones = ['a', 'b', 'c', 'd', 'e', 'f'];
  const world = new World(zones, { reserve: { minZones: 0, percent: 0 } });
  for (let index = 0; index < 12; index++) world.add('hog', `hog${index}`);
  for (const zone of ['b', 'f', 'a', 'c', 'e', 'd']) {
    world.nowMs += 1_000;
    world.loaded(zone);
  }
  const [youngest, next] = [world.running.get('d'), world.running.get('e')];
  for (let index = 0; index < 100; index++) world.add('other', `other${index}`);
  world.send({ event: 'hog check' });
  world.nowMs += 300_000;
  world.send({ event: 'hog check' });
  world.send({ event: 'hog check' });
  t.same([...world.killed], [youngest]);
  world.nowMs += 15_000;
  world.send({ event: 'hog check' });
  t.same([...world.killed], [youngest, next]);
});

t.test('a free zone goes to the group that lacks most of its share', async (t) => {
  const world = new World(Array.from({ length: 23 }, (_, index) => `zone${index}`));
  const add = (group: string, count: number) => {
    for (let index = 0; index < count; index++) world.add(group, `${group}-${index}`);
  };
  add('first', 1_000);
  add('little', 700);
  add('much', 1_000);
  while (world.loading.size > 0) world.finishOne(0);
  const held = (group: string) => world.state.groups.get(group)?.streams.size ?? 0;
  t.same([held('little'), held('much')], [1, 1]);
  for (let turn = 0; held('little') + held('much') === 2; turn++) world.finishOne(turn);
  t.same([held('little'), held('much')], [1, 2]);
});

t.test('an idle zone that an operator wants is given up at once', async (t) => {
  const world = new World(['a', 'b', 'c', 'd']);
  world.add('one', 't0');
  const [zone = ''] = world.loading;
  world.loaded(zone);
  world.end(zone);
  t.equal(world.state.streams.get(zone)?.phase, 'idle');
  world.send({ event: 'zone quiesced', zone });
  t.ok(world.resetting.has(zone));
});

t.test(
  'memory beyond the default comes back with the reset; who needs what a running task holds is refused',
  async (t) => {
    const world = new World(['a', 'b', 'c']);
    world.add('one', 't0', { memoryMb: 600 });
    const [zone = ''] = world.loading;
    world.loaded(zone);
    world.add('two', 't1', { memoryMb: 600 });
    t.same([...world.refused], ['t1']);
    world.failStream(0);
    t.equal(world.state.slop.memoryUsedMb, 600, 'not before the reset has ended');
    world.ready(zone);
    t.equal(world.state.slop.memoryUsedMb, 0);
  },
);
