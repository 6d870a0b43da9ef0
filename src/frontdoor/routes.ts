/**
 * What is served, as a table; the first row that fits wins. Patterns are held against decoded components, because names
 * may contain anything, also encoded slashes and percent signs, which routers of the usual kind trip over.
 *
 * `:name` takes one component, `*` any number of them. The last rows are the namespace itself, for whatever path is a
 * root or lies below one.
 */
import type { ParsedUrlQuery } from 'node:querystring';
import { cancelJob, endInput } from './jobs/control.js';
import { createJob } from './jobs/create.js';
import { addInputs } from './jobs/inputs.js';
import { listJobs } from './jobs/live-list.js';
import { jobErrors, jobFailures, jobInputs, jobOutputs } from './jobs/results.js';
import { saveObjects } from './jobs/save-objects.js';
import { getStatus } from './jobs/status.js';
import type { ResourcePath } from './paths.js';
import type { Handler } from './request/call.js';
import { attachSession } from './sessions/attach.js';
import { refuseOnRoot, storageDelete, storageOptions, storagePut, storageRead } from './storage-routes.js';
import { createToken } from './token-route.js';
import { commitUpload } from './uploads/commit.js';
import { abortUpload, getUploadState, putPart } from './uploads/control.js';
import { createUpload } from './uploads/create.js';
import { redirectToUpload } from './uploads/upload.js';

interface Route {
  readonly name: string;
  /** `*`: any. */
  readonly method: string;
  readonly pattern: string;
  readonly handle: Handler;
  /** Only if the query has one of these parameters. */
  readonly query?: readonly string[];
  /** Only if this parameter is a UUID. */
  readonly uuid?: string;
}

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const jobsQuery = ['state', 'status', 'name'];

// biome-ignore format: table
const routes: readonly Route[] = [
  { name: 'createtoken', method: 'POST', pattern: ':login/tokens', handle: createToken },
  { name: 'createjob', method: 'POST', pattern: ':login/jobs', handle: createJob },
  { name: 'listjobs', method: 'GET', pattern: ':login/jobs', query: jobsQuery, handle: listJobs },
  { name: 'listlivejobs', method: 'GET', pattern: ':login/jobs/live', handle: listJobs },
  { name: 'jobstatus', method: 'GET', pattern: ':login/jobs/:job/live/status', handle: getStatus },
  { name: 'addjobinputs', method: 'POST', pattern: ':login/jobs/:job/live/in', handle: addInputs },
  { name: 'endjobinput', method: 'POST', pattern: ':login/jobs/:job/live/in/end', handle: endInput },
  { name: 'canceljob', method: 'POST', pattern: ':login/jobs/:job/live/cancel', handle: cancelJob },
  { name: 'jobinputs', method: 'GET', pattern: ':login/jobs/:job/live/in', handle: jobInputs },
  { name: 'joboutputs', method: 'GET', pattern: ':login/jobs/:job/live/out', handle: jobOutputs },
  { name: 'joberrors', method: 'GET', pattern: ':login/jobs/:job/live/err', handle: jobErrors },
  { name: 'jobfailures', method: 'GET', pattern: ':login/jobs/:job/live/fail', handle: jobFailures },
  { name: 'saveobjects', method: 'POST', pattern: ':login/jobs/:job/live/objects', handle: saveObjects },
  { name: 'attachsession', method: 'GET', pattern: ':login/medusa/attach/:job/:role', handle: attachSession },
  { name: 'createupload', method: 'POST', pattern: ':login/uploads', handle: createUpload },
  { name: 'findupload', method: '*', pattern: ':login/uploads/:upload', uuid: 'upload', handle: redirectToUpload },
  { name: 'findpart', method: '*', pattern: ':login/uploads/:upload/:part', uuid: 'upload', handle: redirectToUpload },
  { name: 'uploadstate', method: 'GET', pattern: ':login/uploads/:prefix/:upload/state', handle: getUploadState },
  { name: 'commitupload', method: 'POST', pattern: ':login/uploads/:prefix/:upload/commit', handle: commitUpload },
  { name: 'abortupload', method: 'POST', pattern: ':login/uploads/:prefix/:upload/abort', handle: abortUpload },
  { name: 'putpart', method: 'PUT', pattern: ':login/uploads/:prefix/:upload/:part', handle: putPart },
  { name: 'getstorage', method: 'GET', pattern: '*', handle: storageRead },
  { name: 'headstorage', method: 'HEAD', pattern: '*', handle: storageRead },
  { name: 'putstorage', method: 'PUT', pattern: '*', handle: storagePut },
  { name: 'deletestorage', method: 'DELETE', pattern: '*', handle: storageDelete },
  { name: 'optionsstorage', method: 'OPTIONS', pattern: '*', handle: storageOptions },
  { name: 'postroot', method: 'POST', pattern: ':login', handle: refuseOnRoot },
];

export type Match =
  | { readonly found: true; readonly route: Route; readonly parameters: Readonly<Record<string, string>> }
  /** `allowed`: methods under which the path is known; none: it is not known at all. */
  | { readonly found: false; readonly allowed: readonly string[] };

export function matchRoute(method: string, target: ResourcePath, query: ParsedUrlQuery): Match {
  const given = new Set(Object.keys(query).map((name) => name.toLowerCase()));
  const allowed = new Set<string>();
  for (const route of compiled) {
    const parameters = route.match(target);
    if (parameters === undefined || !isMeant(route.row, parameters, given)) continue;
    if (route.row.method === method || route.row.method === '*') return { found: true, route: route.row, parameters };
    allowed.add(route.row.method);
  }
  return { found: false, allowed: [...allowed] };
}

function isMeant(
  { query, uuid }: Route,
  parameters: Readonly<Record<string, string>>,
  given: ReadonlySet<string>,
): boolean {
  if (uuid !== undefined && !uuidPattern.test(parameters[uuid] ?? '')) return false;
  return query?.some((name) => given.has(name)) ?? true;
}

interface CompiledRoute {
  readonly row: Route;
  /** undefined: the path does not fit. */
  readonly match: (target: ResourcePath) => Readonly<Record<string, string>> | undefined;
}

const compiled: readonly CompiledRoute[] = routes.map((row) => ({ row, match: matcher(row.pattern.split('/')) }));

function matcher(pattern: readonly string[]): CompiledRoute['match'] {
  if (pattern[0] === '*') return (target) => (target.kind === 'nowhere' || target.login === '' ? undefined : {});
  return ({ login, components }) => {
    const parts = [login, ...components];
    if (parts.length !== pattern.length) return undefined;
    const parameters: Record<string, string> = {};
    for (const [index, piece] of pattern.entries()) {
      const part = parts[index] ?? '';
      if (piece.startsWith(':')) parameters[piece.slice(1)] = part;
      else if (piece !== part) return undefined;
    }
    return parameters;
  };
}
