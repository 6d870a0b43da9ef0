/** What a seed stands for: how many take part, what jobs there are, what goes wrong and how often. */
import type { Phase } from '../../src/records/job.js';
import type { Tunables } from '../../src/supervisor/config.js';
import { newId } from '../../src/supervisor/ids.js';
import { type Faults, noFaults } from './network.js';
import { login } from './objects.js';
import { type Chance, chanceOf } from './random.js';
import type { JobPlan } from './user.js';

export type Trouble =
  | { readonly what: 'crash'; readonly who: string; readonly atMs: number; readonly backAfterMs: number }
  | { readonly what: 'stand still' | 'cut off'; readonly who: string; readonly atMs: number; readonly forMs: number }
  | { readonly what: 'drop listeners' | 'kill listeners'; readonly who: string; readonly atMs: number }
  | { readonly what: 'set clock'; readonly who: string; readonly atMs: number; readonly aheadMs: number }
  /** Starts then for the first time; crashes then, for good. */
  | { readonly what: 'late' | 'gone'; readonly who: string; readonly atMs: number }
  | { readonly what: 'store away'; readonly atMs: number; readonly forMs: number };

export interface Plan {
  readonly seed: number;
  readonly supervisors: readonly string[];
  readonly agents: readonly string[];
  /** By name: who holds a copy. */
  readonly objects: ReadonlyMap<string, readonly string[]>;
  readonly jobs: readonly JobPlan[];
  readonly tunables: Partial<Tunables>;
  readonly faults: Faults;
  /** The longest that a call is on its way, one way, when it is not slow. */
  readonly wayMs: number;
  readonly killed: number;
  readonly fails: number;
  readonly troubles: readonly Trouble[];
  /** When all trouble is over. */
  readonly calmMs: number;
}

/** What a run may leave out, to find the shortest that still fails. */
export interface Without {
  readonly faults?: readonly (keyof Faults)[];
  readonly troubles?: readonly number[];
  readonly jobs?: readonly number[];
}

const map = { type: 'map', exec: 'true' } as const;
const reduce = (count: number) => ({ type: 'reduce', exec: 'true', count }) as const;

export function makePlan(seed: number, without: Without = {}): Plan {
  const chance = chanceOf(seed, 'plan');
  const calmMs = chance.between(20, 60) * 1_000;
  const supervisors = names('sup', chance.between(1, 3));
  const agents = names('cn', chance.between(1, 4));
  const objects = new Map<string, readonly string[]>();
  for (let index = 0; index < 10; index++) {
    const kind = chance.pick(['good', 'good', 'good', 'good', 'empty', 'bad']);
    const holders = [...new Set([chance.pick(agents), chance.pick(agents)])];
    objects.set(`/${login}/stor/${kind}${index}`, holders);
  }
  const jobs = Array.from({ length: chance.between(1, 4) }, () => makeJob(chance, [...objects.keys()], calmMs));
  const rare = chanceOf(seed, 'rare');
  const troubles = [
    ...makeTroubles(chance, [...supervisors, ...agents], calmMs),
    ...makeLate(rare, agents, calmMs),
    ...makeGone(rare, agents, calmMs),
    ...makeGone(rare, supervisors, calmMs),
  ];
  const rate = (most: number) => (chance.happens(0.5) ? 0 : chance.next() * most);
  const faults: Faults = {
    lostBefore: rate(0.1),
    lostAfter: rate(0.1),
    silent: rate(0.2),
    refused: rate(0.1),
    slow: rate(0.05),
    notifyLost: rate(0.5),
    notifyDoubled: rate(0.3),
    notifyLate: rate(0.3),
    listenerDead: rate(0.3),
    removalFails: rate(0.3),
    accountFails: rate(0.2),
  };
  for (const fault of without.faults ?? []) faults[fault] = noFaults[fault];
  return {
    seed,
    supervisors,
    agents,
    objects,
    jobs: jobs.filter((_, index) => without.jobs?.includes(index) !== true),
    tunables: {
      timeAgentPoll: 2_000,
      timeAgentTimeout: 8_000,
      timeHeartbeat: 2_000,
      timeJobSave: 500,
      timeJobStill: chance.pick([100, 3_000]),
      timeMarkInputs: 2_000,
      timePatience: 5_000,
      timePoll: 1_000,
      timeWorkerAbandon: 7_000,
      timeWorkerPoll: 2_000,
      maxRecordsPerUpdate: chance.pick([2, 3, 10, 500]),
      maxRecordsPerCancel: chance.pick([2, 5, 250]),
      maxTasksPerAgent: chance.pick([1, 3, 1000]),
      maxPendingDispatches: chance.pick([2, 5, 2000]),
      maxPendingLocates: chance.pick([1, 100]),
    },
    faults,
    wayMs: chance.pick([3, 30, 150, 400]),
    killed: rate(0.3),
    fails: rate(0.1),
    troubles: troubles.filter((_, index) => without.troubles?.includes(index) !== true),
    calmMs,
  };
}

function names(stem: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${stem}-${index + 1}`);
}

function makeJob(chance: Chance, objects: readonly string[], calmMs: number): JobPlan {
  const count = () => chance.pick([1, 1, 2, 3, 6]);
  const phases: readonly Phase[] = chance.pick<() => readonly Phase[]>([
    () => [map],
    () => [map, map],
    () => [reduce(count())],
    () => [map, reduce(count())],
    () => [map, reduce(count())],
    () => [map, reduce(count()), map],
    () => [map, reduce(count()), reduce(1)],
    () => [reduce(count()), reduce(count())],
  ])();
  const wrong = [`/${login}/stor/missing`, '/nobody/stor/a', 'malformed'];
  const inputs = Array.from({ length: chance.pick([0, 1, 3, 5, 8, 12]) }, () =>
    chance.happens(0.08) ? chance.pick(wrong) : chance.pick(objects),
  );
  return {
    jobId: newId(() => chance.next()),
    phases,
    inputs,
    pauseMs: chance.pick([0, 100, 1_000, 4_000]),
    startMs: chance.next() * calmMs * 0.6,
    cancelMs: chance.happens(0.2) ? chance.next() * chance.pick([500, 5_000, 30_000]) : null,
  };
}

/** No agent lives at first, and they come one by one. */
function makeLate(chance: Chance, agents: readonly string[], calmMs: number): Trouble[] {
  if (!chance.happens(0.1)) return [];
  const mostMs = chance.pick([3_000, 10_000, calmMs]);
  return agents.map((who) => ({ what: 'late', who, atMs: chance.next() * mostMs }));
}

/** A machine that is taken out of service, maybe with the only copies of some objects; others of its kind stay. */
function makeGone(chance: Chance, names: readonly string[], calmMs: number): Trouble[] {
  if (names.length < 2 || !chance.happens(0.1)) return [];
  return [{ what: 'gone', who: chance.pick(names), atMs: chance.next() * calmMs }];
}

function makeTroubles(chance: Chance, everybody: readonly string[], calmMs: number): Trouble[] {
  const troubles: Trouble[] = [];
  const pauseMs = chance.pick([1_500, 4_000, 10_000, 100_000]);
  for (let atMs = chance.next() * pauseMs; atMs < calmMs; atMs += chance.next() * 2 * pauseMs) {
    const who = chance.pick(everybody);
    const forMs = chance.next() * chance.pick([500, 4_000, 20_000]);
    switch (chance.pick(['crash', 'crash', 'crash', 'still', 'cut off', 'drop', 'kill', 'clock', 'away'] as const)) {
      case 'crash':
        troubles.push({ what: 'crash', who, atMs, backAfterMs: forMs });
        break;
      case 'still':
        troubles.push({ what: 'stand still', who, atMs, forMs });
        break;
      case 'cut off':
        troubles.push({ what: 'cut off', who, atMs, forMs });
        break;
      case 'drop':
        troubles.push({ what: 'drop listeners', who, atMs });
        break;
      case 'kill':
        troubles.push({ what: 'kill listeners', who, atMs });
        break;
      case 'clock':
        troubles.push({
          what: 'set clock',
          who,
          atMs,
          aheadMs: (chance.next() - 0.5) * chance.pick([1_000, 7_200_000]),
        });
        break;
      case 'away':
        troubles.push({ what: 'store away', atMs, forMs });
    }
  }
  return troubles;
}
