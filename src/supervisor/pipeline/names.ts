/** Names of objects: as users write them (`/login/stor/x`), and as the index knows them (`/uuid/stor/x`). */
import path from 'node:path';

/** Collapses `//`, resolves `.` and `..`; a trailing slash stays. */
export function normalisedName(name: string): string {
  return path.posix.normalize(name);
}

/** Text between the first and the second slash; '' when there is no second one: such a name is malformed. */
export function ownerLogin(name: string): string {
  return /^[^/]*\/([^/]+)\//.exec(name)?.[1] ?? '';
}

/** The same name below another owner. */
export function underOwner(name: string, owner: string): string {
  return `/${owner}${name.slice(name.indexOf('/', 1))}`;
}

/**
 * Whether the job itself made up the name: only such objects are ever removed by the system.
 * @param name of a record that nobody has checked.
 */
export function isAnonymous(name: unknown, jobId: string): name is string {
  if (typeof name !== 'string') return false;
  const [empty, login, jobs, id, stor, ...rest] = name.split('/');
  return empty === '' && login !== '' && jobs === 'jobs' && id === jobId && stor === 'stor' && rest.length > 0;
}

/**
 * Whether an attempt made the object, as opposed to naming one that was there before: made-up names end in the phase and
 * an id. An attempt that emitted its own input by reference must not have it removed when it fails.
 */
export function isAnonymousOfPhase(name: unknown, jobId: string, phase: number): name is string {
  return isAnonymous(name, jobId) && new RegExp(`\\.${phase}\\.[0-9a-f-]{36}$`).test(name);
}
