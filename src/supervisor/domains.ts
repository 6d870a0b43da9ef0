/**
 * Domains: theory of operation. A domain is the unit of ownership: a job belongs to one for good, and one supervisor at
 * a time operates it. Each supervisor has a domain of its own name; when it dies, a peer takes the domain over, and when
 * it comes back, it asks for it and gets it:
 *
 *   A lost --> B: operatedBy=B --> A back: wantTransfer=A --> B stops, writes operatedBy=A, wantTransfer='' --> A starts
 *
 * Every change is conditional on the record as read, so of two takers one wins. Whoever operates a domain puts its
 * record, as read, first into each batch: a supervisor that was robbed while it stalled cannot write any more.
 */
import type { Operation, Stored } from '../bus/types.js';
import type { DomainRecord } from '../records/domain.js';

type Put = Operation & { readonly op: 'put' };

/** What this process does with a domain at the moment. */
export type Operating = 'no' | 'running' | 'changing';

export type DomainStep =
  | { readonly step: 'nothing' | 'start' | 'stop' }
  /** Write, then start. */
  | { readonly step: 'take'; readonly write: Put }
  /** Stop, then write; start again when the write failed. */
  | { readonly step: 'hand back'; readonly write: Put }
  | { readonly step: 'ask'; readonly write: Put };

/** The first rule that matches, of spec 04 §3.3. */
export function stepDomain(record: Stored<DomainRecord>, me: string, operating: Operating): DomainStep {
  if (operating === 'changing') return { step: 'nothing' };
  const { domainId, operatedBy = '', wantTransfer = '' } = record.value;
  if (operatedBy === me && operating === 'no') return { step: 'start' };
  if (operatedBy === '' && domainId === me) return { step: 'take', write: put(record, { operatedBy: me }) };
  if (operating === 'running' && operatedBy !== me) return { step: 'stop' };
  if (operating === 'running' && wantTransfer !== '' && wantTransfer !== me)
    return { step: 'hand back', write: put(record, { operatedBy: wantTransfer, wantTransfer: '' }) };
  if (domainId === me && operatedBy !== me && wantTransfer !== me)
    return { step: 'ask', write: put(record, { wantTransfer: me }) };
  return { step: 'nothing' };
}

/** One domain of each lost peer, so that survivors share the load and nobody starts dozens at once. */
export function takeOver(
  domains: readonly Stored<DomainRecord>[],
  lostPeers: readonly string[],
  me: string,
  random: () => number,
): { readonly domainId: string; readonly write: Put }[] {
  return lostPeers.flatMap((peer) => {
    const theirs = domains.filter((record) => operatorOf(record) === peer);
    const chosen = theirs[Math.floor(random() * theirs.length)];
    if (chosen === undefined || peer === me) return [];
    return [{ domainId: chosen.value.domainId, write: put(chosen, { operatedBy: me }) }];
  });
}

/** A domain without an operator is its own supervisor's business. */
export function operatorOf({ value: { domainId, operatedBy = '' } }: Stored<DomainRecord>): string {
  return operatedBy === '' ? domainId : operatedBy;
}

export function firstDomain(me: string): Put {
  return {
    op: 'put',
    bucket: 'domain',
    key: me,
    etag: null,
    value: { domainId: me, operatedBy: me, wantTransfer: '' },
  };
}

function put(record: Stored<DomainRecord>, change: Partial<DomainRecord>): Put {
  return { op: 'put', bucket: 'domain', key: record.key, etag: record.etag, value: { ...record.value, ...change } };
}
