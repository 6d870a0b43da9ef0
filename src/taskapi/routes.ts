/**
 * Paths of the task control API, and how every URL is tidied before it is compared with one. Source: spec 05 §7, spec 06
 * §1.3.
 */
export const taskRoutes = {
  task: '/my/jobs/task/task',
  commit: '/my/jobs/task/commit',
  fail: '/my/jobs/task/fail',
  live: '/my/jobs/task/live',
  perturb: '/my/jobs/task/perturb',
  /** The lackey's own call, only on the socket: the endpoint for user programs answers 404 to it. */
  report: '/my/jobs/task/report',
} as const;

/** Everything below is control; everything else goes to the front door. */
export const taskRoutePrefix = '/my/jobs/task/';

/** Headers by which a PUT says what it is to the task. */
export const streamHeader = 'x-manta-stream';
export const reducerHeader = 'x-manta-reducer';
export const referenceHeader = 'x-manta-reference';

/** Runs of `/` become one, a trailing `/` (also one before `?`) goes; `/` alone stays. The query is not touched. */
export function sanitizeUrl(url: string): string {
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const query = mark === -1 ? '' : url.slice(mark);
  const single = path.replace(/\/{2,}/g, '/');
  return (single.length > 1 && single.endsWith('/') ? single.slice(0, -1) : single) + query;
}
