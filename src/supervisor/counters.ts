/** What a supervisor has done since it started: plain numbers, for metrics and the snapshot. */
const names = [
  'jobsClaimed',
  'claimsLost',
  'jobsTakenUp',
  'jobsDone',
  'inputsToTasks',
  'inputsToReducers',
  'inputsToErrors',
  'inputsDropped',
  'tasksCommittedOk',
  'tasksCommittedFail',
  'tasksRetried',
  'tasksAbandoned',
  'objectsRemoved',
  'removalsRefused',
  'domainsTakenOver',
  'domainsHandedBack',
  'domainsLost',
  'recordsSetAside',
] as const;

export type Counters = Record<(typeof names)[number], number>;

export function newCounters(): Counters {
  return Object.fromEntries(names.map((name) => [name, 0])) as Counters;
}
