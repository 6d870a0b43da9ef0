import fc from 'fast-check';
import t from 'tap';
import { chooseNodes, type StorageNode } from '../../../../src/frontdoor/placement/choose.js';

const node = (id: string, change: Partial<StorageNode> = {}): StorageNode => ({
  id,
  url: `http://${id}`,
  datacenter: 'here',
  availableMb: 100,
  percentUsed: 10,
  isSilent: false,
  ...change,
});
const none: ReadonlySet<string> = new Set();
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
t.equal(lonely.found && lonely.setWithout(none)?.length, 1, 'one node takes the only copy');
t.match(
  chooseNodes([node('1'), node('2')], { ...request, multiDc: true }, () => 0),
  { found: false },
  'one datacenter',
);

t.test(
  'sets have the right size, spread over datacenters, leave out who refused, and put the silent last',
  async () => {
    const datacenter = fc.constantFrom('a', 'b', 'c');
    const nodes = fc
      .array(fc.record({ datacenter, isSilent: fc.boolean() }), { minLength: 1, maxLength: 12 })
      .map((changes) => changes.map((change, index) => node(String(index), change)));
    const seeds = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
      minLength: 12,
      maxLength: 12,
    });
    const refusals = fc.array(fc.nat({ max: 11 }), { maxLength: 6 });
    const world = [nodes, fc.integer({ min: 1, max: 4 }), fc.boolean(), seeds, refusals] as const;
    const property = fc.property(...world, (all, copies, multiDc, chances, refusing) => {
      let draw = 0;
      const placement = chooseNodes(all, { ...request, copies, multiDc }, () => chances[draw++ % chances.length] ?? 0);
      const far = (set: readonly StorageNode[]) => new Set(set.map((one) => one.datacenter)).size;
      if (!placement.found) return multiDc && copies > 1 && far(all) < 2;
      const refused = new Set(refusing.map(String));
      const left = all.filter(({ id }) => !refused.has(id));
      const size = Math.min(copies, all.length);
      const set = placement.setWithout(refused);
      if (set === undefined) return left.length < size || (multiDc && copies > 1 && far(left) < 2);
      const others = left.filter((one) => !set.includes(one));
      return (
        new Set(set).size === size &&
        set.every((one) => left.includes(one)) &&
        far(set) === Math.min(far(left), size) &&
        set
          .filter(({ isSilent }) => isSilent)
          .every(({ datacenter: place }) => others.every((other) => other.isSilent || other.datacenter !== place))
      );
    });
    fc.assert(property);
  },
);

t.test('three nodes of which one is away take two copies of everything', async (t) => {
  const all = ['1', '2', '3'].map((id) => node(id));
  for (const away of ['1', '2', '3']) {
    const placement = chooseNodes(all, request, () => 0);
    t.same(
      placement.found &&
        placement
          .setWithout(new Set([away]))
          ?.map(({ id }) => id)
          .sort(),
      all.map(({ id }) => id).filter((id) => id !== away),
    );
  }
});
