/** `POST /:login/jobs`: checks the definition, makes the job's directories and writes its record. */
import { authorize } from '../../accounts/authorize.js';
import type { AccountAnswer } from '../../accounts/types.js';
import { httpError } from '../../http/errors.js';
import type { NewJob } from '../../jobs/types.js';
import { directoryEntry } from '../metadata/entry.js';
import { keyOf } from '../paths.js';
import type { Call } from '../request/call.js';
import { readJson } from '../request/json-body.js';
import { assertAllowed, roleTags } from '../request/permission.js';
import { respondEmpty } from '../request/respond.js';

export async function createJob(call: Call): Promise<void> {
  const { services, owner, response } = call;
  assertAllowed(call, { action: 'createjob', key: keyOf(owner.account.uuid, ['jobs']), roles: [] });
  const { principal } = call.caller;
  if (principal === null) throw httpError('AuthorizationFailed', 'anonymous', call.path);
  assertMayWrite(call, principal);
  const definition = named(await readJson(call));
  const problem = services.jobs.validate(definition, { isPrivileged: call.isOperator });
  if (problem !== null) throw httpError('InvalidJob', problem);
  await services.limits.assertRoomForJob(call);

  const jobId = services.newId();
  await makeDirectories(call, jobId);
  const { name, phases, options, transient } = definition as Pick<NewJob, 'name' | 'phases' | 'options' | 'transient'>;
  await services.jobs.create({
    jobId,
    name,
    owner: owner.account.uuid,
    auth: authOf(call, principal),
    phases,
    ...(options === undefined ? {} : { options }),
    ...(transient === undefined ? {} : { transient }),
  });
  respondEmpty(response, 201, { Location: `/${owner.account.login}/jobs/${jobId}`, 'Content-Length': 0 });
}

/** A job without a name has an empty one. @throws VError `InvalidJob` for a list, which has no members at all. */
function named(body: unknown): unknown {
  if (Array.isArray(body)) throw httpError('InvalidJob', 'property "phases": is missing and it is required');
  return typeof body === 'object' && body !== null ? { name: '', ...body } : body;
}

/** What a job makes is written as its creator: a user who may not write could only make a job that fails. */
function assertMayWrite(call: Call, principal: AccountAnswer): void {
  if (!principal.user) return;
  for (const action of ['putobject', 'putdirectory'] as const) {
    const verdict = authorize({
      principal,
      action,
      owner: call.owner,
      key: keyOf(call.owner.account.uuid, ['jobs']),
      roles: call.activeRoles,
      conditions: call.conditions,
    });
    if (!verdict.allowed) throw httpError('MissingPermission', action);
  }
}

async function makeDirectories(call: Call, jobId: string): Promise<void> {
  const { owner, services } = call;
  const roles = await roleTags(call);
  const paths = [
    ['jobs', jobId],
    ['jobs', jobId, 'live'],
    ['jobs', jobId, 'stor'],
  ];
  const maker = { owner: owner.account.uuid, roles, headers: {}, nowMs: call.nowMs };
  await services.entries.putAll(
    paths.map((components) => directoryEntry({ ...maker, key: keyOf(owner.account.uuid, components) })),
  );
}

function authOf(call: Call, principal: AccountAnswer): NewJob['auth'] {
  const { account, user, roles } = principal;
  const { uuid, login, approved_for_provisioning, groups, isOperator } = account;
  const token = call.services.tokens.issue(
    { account: uuid, user: user?.uuid ?? null, activeRoles: call.activeRoles, fromjob: true },
    call.nowMs,
  );
  return {
    login,
    uuid,
    groups: [...groups],
    token,
    principal: {
      account: { uuid, login, approved_for_provisioning, groups, isOperator },
      ...(user ? { user: withoutKeys(user) } : {}),
      roles,
    },
    conditions: { ...call.conditions, owner: accountOf(call.owner), method: 'POST', fromjob: false },
  };
}

function withoutKeys({ uuid, account, login, roles, defaultRoles }: NonNullable<AccountAnswer['user']>) {
  return { uuid, account, login, roles, defaultRoles };
}

function accountOf({ account: { uuid, login, approved_for_provisioning, groups, isOperator } }: AccountAnswer) {
  return { uuid, login, approved_for_provisioning, groups, isOperator };
}
