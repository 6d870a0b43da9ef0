/** `GET /:login/jobs?state=…&name=…` and `GET /:login/jobs/live`: jobs that still have a record. */
import { httpError } from '../../http/errors.js';
import type { JobFilter } from '../../jobs/types.js';
import { keyOf } from '../paths.js';
import type { Call } from '../request/call.js';
import { assertAllowed } from '../request/permission.js';
import { joined, respondStream, setHeaders } from '../request/respond.js';

const maxJobs = 1000;

export async function listJobs(call: Call): Promise<void> {
  const owner = call.owner.account.uuid;
  assertAllowed(call, { action: 'listjobs', key: keyOf(owner, ['jobs']), roles: [] });
  const filter = { ...filterOf(call), owner };
  setHeaders(call.response, { 'Content-Type': 'application/x-json-stream; type=job' });
  await respondStream(call.response, joined(lines(call, filter)), () => call.response.writeHead(200));
}

async function* lines(call: Call, filter: JobFilter): AsyncGenerator<string> {
  for await (const { value } of call.services.jobs.list(filter)) {
    yield `${JSON.stringify({ name: value.jobId, type: 'directory', mtime: value.timeCreated })}\n`;
  }
}

/** @throws VError `InvalidParameter` */
function filterOf(call: Call): JobFilter {
  const query = new Map(Object.entries(call.query).map(([name, value]) => [name.toLowerCase(), String(value)]));
  const state = query.get('state');
  for (const [name, value] of [['state', state] as const, ['status', query.get('status')] as const]) {
    if (value !== undefined && value !== 'live' && value !== 'running')
      throw httpError('InvalidParameter', value, name);
  }
  const name = query.get('name');
  if (name !== undefined && !/^[A-Za-z0-9_-]+$/.test(name)) throw httpError('InvalidParameter', name, 'name');
  const limit = Math.min(maxJobs, Math.abs(Math.trunc(Number(query.get('limit')))) || maxJobs);
  return { limit, ...(state === 'running' ? { state } : {}), ...(name === undefined ? {} : { name }) };
}
