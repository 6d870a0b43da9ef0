/** GET and HEAD of directories: one JSON object per line, for as long as the client reads. */
import { httpError } from '../../http/errors.js';
import { type DirectoryEntry, listLine, type StoredEntry } from '../metadata/entry.js';
import { returnedHeaders } from '../objects/returned-headers.js';
import { rootNames } from '../paths.js';
import type { Call } from '../request/call.js';
import { directoryContentType } from '../request/content-type.js';
import { assertAllowed } from '../request/permission.js';
import { joined, respondStream, setHeaders } from '../request/respond.js';
import { type ListProblem, parseListOptions } from './list-options.js';
import { mayBePage, pageHeaders, pageOf, wantsPage } from './page.js';

/** @param stored undefined for a root that has no record. */
export async function readDirectory(call: Call, stored: StoredEntry<DirectoryEntry> | undefined): Promise<void> {
  const { response, services, method } = call;
  assertAllowed(call, { action: 'getdirectory', key: call.key, roles: stored?.entry.roles });
  const verdict = parseListOptions(call.query, call.isOperator);
  if (!verdict.ok) throw problemError(verdict.problem);
  const count = await services.entries.count(call.key);
  const countsItself = stored !== undefined && call.target.kind === 'root';
  setHeaders(response, {
    'Content-Type': directoryContentType,
    'Result-Set-Size': Math.max(0, countsItself ? count - 1 : count),
  });
  if (stored !== undefined) {
    setHeaders(response, {
      'Last-Modified': new Date(stored.entry.mtime).toUTCString(),
      ...(await returnedHeaders(call, stored.entry)),
    });
  }
  const isPage = mayBePage(call) && wantsPage(call);
  if (isPage) setHeaders(response, pageHeaders);
  if (mayBePage(call)) response.setHeader('Vary', 'Accept');
  if (method === 'HEAD') {
    response.writeHead(200);
    response.end();
    return;
  }
  const entries = services.entries.list(call.owner.account.uuid, call.key, verdict.options);
  const body = isPage ? pageOf(call, entries, verdict.options) : lines(entries);
  await respondStream(response, joined(body), () => response.writeHead(200));
}

async function* lines(entries: ReturnType<Call['services']['entries']['list']>): AsyncGenerator<string> {
  for await (const entry of entries) yield listLine(entry);
}

/** Roots are older than any account. */
const rootMtime = '2013-05-22T17:39:43.714Z';

/** The roots of an account; `marker` is exclusive here, and there is no limit. */
export async function readAccountRoot(call: Call): Promise<void> {
  const { response, query, method, services } = call;
  assertAllowed(call, { action: 'getdirectory', key: call.key, roles: [] });
  const marker = typeof query['marker'] === 'string' ? query['marker'] : '';
  const names = rootNames.filter((name) => name > marker && (name !== 'uploads' || services.config.enableMPU));
  setHeaders(response, { 'Content-Type': directoryContentType, 'Result-Set-Size': names.length });
  response.writeHead(200);
  const body = names.map((name) => `${JSON.stringify({ name, type: 'directory', mtime: rootMtime })}\n`).join('');
  response.end(method === 'HEAD' ? undefined : body);
}

function problemError(problem: ListProblem): Error {
  switch (problem.what) {
    case 'limit':
      return httpError('InvalidArgumentError', `limit=${problem.value} is invalid: must be between [1, 1024]`);
    case 'marker':
      return httpError('InvalidParameter', problem.value, 'marker');
    case 'operators only':
      return httpError('QueryParameterForbidden', problem.parameters.join(', '));
  }
}
