/**
 * Agents and peers: theory of operation. Each writes a heartbeat now and then; we see that its `_mtime` changed. Who is
 * silent for too long is lost: an agent's tasks run again elsewhere, a peer's domains are taken over. Being wrong is
 * dear, so only silence counts that we could have heard: a pass that failed, or came late because the store was away,
 * says nothing about anybody. Hence each instance has a budget of heard silence, which every successful pass spends by
 * the time since the pass before, at most twice the time between passes; never "now minus last seen".
 *
 *   (unknown) --read--> alive --pass without a change, until the budget is spent--> lost --change--> alive
 *
 * So that nobody is noticed a whole pass late, a pass is made when the first budget runs out (nextLossMs).
 *
 * Invariants: (1) an outage of the store, however long, loses nobody; (2) clocks of other machines are never compared;
 * (3) an instance whose record is gone falls silent like any other and is then forgotten.
 */
import type { Stored } from '../bus/types.js';
import type { HealthRecord } from '../records/health.js';

export interface Instance {
  readonly instance: string;
  readonly generation: string;
  readonly mtimeMs: number;
  /** Heard silence, ms. */
  readonly silentMs: number;
  readonly lost: boolean;
  /** Read in the pass that runs. */
  readonly seen: boolean;
  readonly changed: boolean;
}

export type HealthEvent =
  | { readonly event: 'started' | 'restarted' | 'came back'; readonly instance: string; readonly generation: string }
  | { readonly event: 'lost' | 'forgotten'; readonly instance: string };

/** Health of one component, stepped by the records and the ends of passes. */
export class HealthTable {
  private readonly instances = new Map<string, Instance>();
  private lastPassMs: number | null = null;

  /** @param keeps a lost instance whose record is gone is not forgotten while this says so. */
  constructor(
    private readonly limits: { readonly everyMs: number; readonly timeoutMs: number },
    private readonly keeps: (instance: string) => boolean = () => false,
  ) {}

  /** Somebody who should be there, with or without a record: silent from now on if there is none. */
  expect(instance: string): void {
    if (this.instances.has(instance)) return;
    const unread = { generation: '', mtimeMs: Number.NaN, silentMs: 0, lost: false, seen: false, changed: true };
    this.instances.set(instance, { instance, ...unread });
  }

  /** @returns what the record says that was not known before. */
  read(record: Stored<HealthRecord>): HealthEvent | null {
    const { instance, generation } = record.value;
    const known = this.instances.get(instance);
    const changed = known === undefined || known.mtimeMs !== record.mtimeMs || known.generation !== generation;
    const next = { instance, generation, mtimeMs: record.mtimeMs, seen: true, changed };
    if (!changed && known !== undefined) {
      this.instances.set(instance, { ...known, seen: true });
      return null;
    }
    this.instances.set(instance, { ...next, silentMs: 0, lost: false });
    if (known === undefined) return { event: 'started', instance, generation };
    if (known.generation !== generation) return { event: 'restarted', instance, generation };
    return known.lost ? { event: 'came back', instance, generation } : null;
  }

  /** A pass that succeeded has ended. @returns who was lost by it, or forgotten. */
  passed(nowMs: number): HealthEvent[] {
    const sinceMs = this.lastPassMs === null ? 0 : nowMs - this.lastPassMs;
    this.lastPassMs = nowMs;
    const heardMs = Math.min(Math.max(0, sinceMs), 2 * this.limits.everyMs);
    const events: HealthEvent[] = [];
    for (const known of this.instances.values()) {
      const silentMs = known.changed ? 0 : known.silentMs + heardMs;
      const lost = silentMs > this.limits.timeoutMs;
      if (lost && !known.lost) events.push({ event: 'lost', instance: known.instance });
      if (lost && !known.seen && !this.keeps(known.instance)) {
        this.instances.delete(known.instance);
        events.push({ event: 'forgotten', instance: known.instance });
        continue;
      }
      this.instances.set(known.instance, { ...known, silentMs, lost, seen: false, changed: false });
    }
    return events;
  }

  /** Time until somebody who is silent already will be lost; null: nobody will be before the next pass anyway. */
  nextLossMs(): number | null {
    const left = this.all().flatMap(({ lost, silentMs }) =>
      lost || silentMs === 0 ? [] : [this.limits.timeoutMs - silentMs],
    );
    const soonest = Math.min(...left);
    return soonest < this.limits.everyMs ? Math.max(0, soonest) + 1 : null;
  }

  get(instance: string): Instance | undefined {
    return this.instances.get(instance);
  }

  all(): Instance[] {
    return [...this.instances.values()];
  }

  living(): Instance[] {
    return this.all().filter((known) => !known.lost);
  }
}

export interface AgentChoice {
  readonly candidates: readonly string[];
  /** Where the attempt before failed: taken only if nobody else is left. */
  readonly avoid?: string | undefined;
  /** Unfinished tasks there. */
  readonly loadOf: (agent: string) => number;
  readonly random: () => number;
}

/** The least busy of the candidates, `avoid` last; by chance among equals. */
export function chooseAgent({ candidates, avoid, loadOf, random }: AgentChoice): string | undefined {
  const others = candidates.filter((agent) => agent !== avoid);
  const choices = others.length > 0 ? others : candidates;
  const least = Math.min(...choices.map(loadOf));
  const idlest = choices.filter((agent) => loadOf(agent) === least);
  return idlest[Math.floor(random() * idlest.length)];
}
