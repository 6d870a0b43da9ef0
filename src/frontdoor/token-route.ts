/** `POST /:login/tokens`: a token with the caller's identity and active roles, good on every route in place of a signature. */

import { httpError } from '../http/errors.js';
import type { Call } from './request/call.js';
import { assertAllowed } from './request/permission.js';
import { respondJson } from './request/respond.js';

export async function createToken(call: Call): Promise<void> {
  assertAllowed(call, { action: 'createtoken', key: `/${call.owner.account.uuid}`, roles: [] });
  call.request.resume(); // whatever the body says
  const { principal } = call.caller;
  if (principal === null) throw httpError('AuthorizationFailed', 'anonymous', call.path);
  const claims = {
    account: principal.account.uuid,
    user: principal.user?.uuid ?? null,
    activeRoles: call.activeRoles,
    ...(call.caller.claims?.fromjob === true ? { fromjob: true } : {}),
  };
  respondJson(call.response, 201, { token: call.services.tokens.issue(claims, call.nowMs) });
}
