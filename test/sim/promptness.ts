/**
 * Promptness: theory of operation. What others write for a domain (inputs, tasks that are done, the wishes of users), its
 * operator has to look for. It is woken by notifications; but those may be lost without a word, and then it is its
 * own looks alone that find anything. How often it must look follows from what it can know:
 *
 *   it heard an echo of its own heartbeat less than `echoValidMs` ago --> push seems to work: each `everyMs` of the query
 *   it did not                                                        --> nobody will wake it: each `timePoll`
 *
 * So for each query whose records others write, with the last look of the operator at it:
 *
 *   look answered   --pause: everyMs, or timePoll once it is deaf; a tenth more by chance--------> the next is due
 *   look failed     --longest back-off, a tenth more---------------------------------------------> the next is due
 *   look unanswered --the time after which no answer is expected any more, then as if it failed--> the next is due
 *
 * and a turn of the pace more (src/bus/pace.ts). Time on the way does not come into it: a pause begins when the answer has
 * come, however long it took, and ends when the question is asked, and both are seen here. Nor do outages: their looks
 * fail. A process that stands still asks when it goes on. Whether a record that was found is dealt with soon is no
 * question of promptness: agents, windows and shares of the pipeline may all make it wait; that jobs end in time is asked
 * elsewhere (world.ts).
 *
 * Rule: no record that waits when a look is due still waits for it afterwards. It holds at every instant, also amidst all
 * trouble, for whoever operates the domain and has looked at least once since it does, unless it has been asked to hand
 * the domain back.
 *
 * Why not bound the time until something happens to the record? That would have to allow for every legitimate delay, and
 * a domain that is looked at ten times too seldom would pass.
 */
import { selfChannel } from '../../src/bus/channels.js';
import { indexType } from '../../src/moray/server/buckets/index-types.js';
import { matches } from '../../src/moray/server/filters/match.js';
import { type Filter, parseFilter } from '../../src/moray/server/filters/parse.js';
import { defaultBuckets } from '../../src/records/buckets.js';
import type { DomainRecord } from '../../src/records/domain.js';
import { domainQueries, type QueryRow } from '../../src/supervisor/queries.js';
import type { Life } from './process.js';
import { Violation } from './rules.js';
import type { Change, Store, Value } from './store.js';
import type { VirtualTime } from './time.js';

/** After the last echo push is not believed any more. */
const echoValidMs = 10_000;
/** A query that fails again and again. */
const longestBackOffMs = 10_000;
const answerTimeoutMs = 60_000;
/** Pauses are longer or shorter by so much, so that not all look at once. */
const jitter = 1.1;
/** The longest turn of the pace of a query, with what is lost to whole milliseconds. */
const turnMs = 200 + 2;

/** A question of a process to the store. */
export interface Look {
  /** It is being answered. */
  reached(): void;
  ended(isAnswered: boolean): void;
}

/** Whoever wants to know what a process asks and hears. */
export interface Witness {
  asked(life: Life, bucket: string, filter: string): Look;
  heard(life: Life, channel: string, payload: string): void;
}

export interface PromptnessOptions {
  readonly store: () => Store;
  readonly time: VirtualTime;
  readonly lifeOf: (supervisor: string) => Life | undefined;
  /** Between looks while push is not proven. */
  readonly timePollMs: number;
}

export interface Promptness extends Witness {
  /** @throws Violation */
  committed(changes: readonly Change[]): void;
}

interface LastLook {
  readonly life: Life;
  readonly askedMs: number;
  reachedMs: number;
  endedMs: number | null;
  isAnswered: boolean;
}

/** A query of a domain, and what is known of it. */
interface Watched {
  readonly row: QueryRow;
  readonly domain: string;
  readonly filter: Filter;
  /** Part of every search for it. */
  readonly text: string;
  /** In this term of the operator. */
  last: LastLook | null;
  /** Records that came to match and have not been looked for since, by key: when. The oldest is the first. */
  readonly waiting: Map<string, number>;
}

const rows: readonly QueryRow[] = Object.values<QueryRow>(domainQueries).filter(({ channels }) =>
  channels.includes('domain'),
);

export function createPromptness({ store, time, lifeOf, timePollMs }: PromptnessOptions): Promptness {
  const domains = new Map<string, readonly Watched[]>();
  /** By its text: what a search is for. */
  const meant = new Map<string, Watched | null>();
  const echoes = new Map<Life, number>();

  const watched = (domain: string): readonly Watched[] => {
    const known = domains.get(domain);
    if (known !== undefined) return known;
    const made = rows.map((row): Watched => {
      const text = row.filter(domain);
      return { row, domain, text, filter: parseFilter(text).root, last: null, waiting: new Map() };
    });
    domains.set(domain, made);
    meant.clear();
    return made;
  };

  const meaningOf = (bucket: string, text: string): Watched | null => {
    const name = `${bucket} ${text}`;
    const known = meant.get(name);
    if (known !== undefined) return known;
    const all = [...domains.values()].flat();
    const found = all.find((one) => defaultBuckets[one.row.bucket] === bucket && text.includes(one.text)) ?? null;
    meant.set(name, found);
    return found;
  };

  /** Another operates the domain: it looks when it has begun. */
  function termBegins(domain: string): void {
    for (const one of watched(domain)) one.last = null;
  }

  function noteRecord({ key, after }: Change, one: Watched): void {
    const isWaiting = after !== null && isMatch(one.filter, after.value);
    if (!isWaiting) one.waiting.delete(key);
    else if (!one.waiting.has(key)) one.waiting.set(key, time.nowMs);
  }

  /** When the operator must have asked again; null: it need not. */
  function dueMs({ row, domain, last }: Watched): number | null {
    const record = store().row('domain', domain)?.value as DomainRecord | undefined;
    const { operatedBy = '', wantTransfer = '' } = record ?? {};
    const life = lifeOf(operatedBy);
    const isLeaving = wantTransfer !== '' && wantTransfer !== operatedBy;
    if (last === null || life === undefined || !life.isAlive || last.life !== life || isLeaving) return null;
    const from = (ms: number) => Math.max(ms, life.stillUntilMs) + turnMs;
    const { askedMs, endedMs, isAnswered } = last;
    if (endedMs === null) return from(askedMs + answerTimeoutMs) + jitter * longestBackOffMs;
    if (!isAnswered) return from(endedMs) + jitter * longestBackOffMs;
    const deafMs = (echoes.get(life) ?? Number.NEGATIVE_INFINITY) + echoValidMs;
    const whileItHears = from(endedMs) + jitter * Number(row.everyMs);
    return Math.min(whileItHears, from(Math.max(endedMs, deafMs)) + jitter * timePollMs);
  }

  return {
    asked(life, bucket, text) {
      const one = meaningOf(bucket, text);
      if (one === null) return { reached() {}, ended() {} };
      const { nowMs } = time;
      const look: LastLook = { life, askedMs: nowMs, reachedMs: nowMs, endedMs: null, isAnswered: false };
      const isOperator = store().row('domain', one.domain)?.value['operatedBy'] === life.name;
      if (isOperator) one.last = look;
      return {
        reached() {
          look.reachedMs = time.nowMs;
        },
        ended(isAnswered) {
          look.endedMs = time.nowMs;
          look.isAnswered = isAnswered;
          if (!isAnswered || one.last !== look) return;
          for (const [key, sinceMs] of one.waiting) if (sinceMs < look.reachedMs) one.waiting.delete(key);
        },
      };
    },
    heard(life, channel, payload) {
      const isProbe = payload.startsWith('?');
      if (channel === selfChannel(life.name) && !isProbe) echoes.set(life, time.nowMs);
    },
    committed(changes) {
      for (const change of changes) {
        const { bucket, key, before, after } = change;
        if (bucket === defaultBuckets.domain && before?.value['operatedBy'] !== after?.value['operatedBy'])
          termBegins(key);
        const domain = after?.value['domain'] ?? after?.value['worker'];
        if (typeof domain !== 'string') continue;
        for (const one of watched(domain)) if (defaultBuckets[one.row.bucket] === bucket) noteRecord(change, one);
      }
      for (const one of [...domains.values()].flat()) {
        const [first] = one.waiting;
        if (first === undefined) continue;
        const due = dueMs(one);
        if (due === null || time.nowMs <= due || first[1] > due) continue;
        const waitedMs = Math.round(time.nowMs - first[1]);
        throw new Violation(
          `"${one.row.name}" of domain "${one.domain}" is overdue by ${Math.round(time.nowMs - due)} ms: ` +
            `${one.row.bucket}/${first[0]} has been waiting for ${waitedMs} ms`,
        );
      }
    },
  };
}

const numbers = new Set(['phaseNum', 'rIdx']);

function isMatch(filter: Filter, value: Value): boolean {
  return matches(filter, value, (field) => indexType(numbers.has(field) ? 'number' : 'string'));
}
