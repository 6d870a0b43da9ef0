import fc from 'fast-check';
import t from 'tap';
import { chooseNodes, type StorageNode } from '../../../../src/frontdoor/placement/choose.js';

const node = (id: string, change: Partial<StorageNode> = {}): StorageNode => ({
  id,
  url: `http://${id}`,
  datacenter: 'here',
  availableMb: 100,
  percentUsed: 10,
  ...change,
});
const request = { copies: 2, sizeMb: 10, maxPercentUsed: 90, multiDc: false };

t.match(
  chooseNodes([], request, () => 0),
  { found: false, problem: 'no nodes' },
  'no nodes at all',
);
const full = [node('1', { availableMb: 9 }), node('2', { percentUsed: 91 })];
t.match(
  chooseNodes(full, request, () => 0),
  { found: false, problem: 'no space' },
  'no node with room',
);
const lonely = chooseNodes([node('1')], request, () => 0);
t.equal(lonely.found && lonely.sets[0]?.length, 1, 'one node takes the only copy');
t.match(
  chooseNodes([node('1'), node('2')], { ...request, multiDc: true }, () => 0),
  { found: false },
  'one datacenter',
);

t.test('sets are disjoint, of the right size, and spread over datacenters', async () => {
  const datacenter = fc.constantFrom('a', 'b', 'c');
  const nodes = fc
    .array(datacenter, { minLength: 1, maxLength: 12 })
    .map((places) => places.map((place, index) => node(String(index), { datacenter: place })));
  const seeds = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
    minLength: 12,
    maxLength: 12,
  });
  const property = fc.property(nodes, fc.integer({ min: 1, max: 4 }), seeds, (all, copies, chances) => {
    let draw = 0;
    const placement = chooseNodes(all, { ...request, copies }, () => chances[draw++ % chances.length] ?? 0);
    if (!placement.found) return false;
    const used = placement.sets.flat().map(({ id }) => id);
    const places = new Set(all.map((one) => one.datacenter)).size;
    const [first = []] = placement.sets;
    return (
      new Set(used).size === used.length &&
      placement.sets.length <= 3 &&
      placement.sets.every((set) => set.length === Math.min(copies, all.length)) &&
      new Set(first.map((one) => one.datacenter)).size === Math.min(places, first.length)
    );
  });
  fc.assert(property);
});
