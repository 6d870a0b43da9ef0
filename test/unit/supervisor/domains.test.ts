import t from 'tap';
import type { Stored } from '../../../src/bus/types.js';
import type { DomainRecord } from '../../../src/records/domain.js';
import { type Operating, stepDomain, takeOver } from '../../../src/supervisor/domains.js';

function domain(domainId: string, operatedBy: string, wantTransfer = ''): Stored<DomainRecord> {
  const value = { domainId, operatedBy, wantTransfer };
  return { bucket: 'domain', key: domainId, value, id: 1, etag: 'e', mtimeMs: 1 };
}

const cases: readonly [title: string, record: Stored<DomainRecord>, operating: Operating, step: string][] = [
  ['ours, and not running: starts', domain('me', 'me'), 'no', 'start'],
  ['ours, and running: stays', domain('me', 'me'), 'running', 'nothing'],
  ['our own that nobody operates: is taken', domain('me', ''), 'no', 'take'],
  ['stolen: stops', domain('d', 'peer'), 'running', 'stop'],
  ['wanted back by its owner: is handed back', domain('d', 'me', 'd'), 'running', 'hand back'],
  ['our own at a peer: is asked for', domain('me', 'peer'), 'no', 'ask'],
  ['our own at a peer, asked for: waits', domain('me', 'peer', 'me'), 'no', 'nothing'],
  ['of a peer: is none of our business', domain('d', 'd'), 'no', 'nothing'],
  ['another that nobody operates: stays so', domain('d', ''), 'no', 'nothing'],
  ['while it changes: waits', domain('me', 'me'), 'changing', 'nothing'],
];
for (const [title, record, operating, step] of cases) t.equal(stepDomain(record, 'me', operating).step, step, title);

t.test('of each lost peer one domain is taken, conditional on what was read', async (t) => {
  const records = [domain('p', 'p'), domain('q', 'p'), domain('r', 'other')];
  const taken = takeOver(records, ['p', 'gone'], 'me', () => 0.99);
  t.match(taken, [{ domainId: 'q', write: { op: 'put', etag: 'e', value: { operatedBy: 'me' } } }]);
});
