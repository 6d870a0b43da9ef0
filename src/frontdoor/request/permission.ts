/** Whether the caller may: the rules are those of the account library, the answers those of the public API. */
import { authorize } from '../../accounts/authorize.js';
import type { Verdict } from '../../accounts/types.js';
import { customHttpError, httpError } from '../../http/errors.js';
import type { Call, Permission } from './call.js';

/** @throws VError `AuthorizationFailed`, `NoMatchingRoleTag`, `AccountBlocked`. */
export function assertAllowed(call: Call, permission: Permission): void {
  const verdict = judge(call, permission);
  if (!verdict.allowed) throw customHttpError({ statusCode: 403, code: verdict.code, message: verdict.message });
}

export function isAllowed(call: Call, permission: Permission): boolean {
  return judge(call, permission).allowed;
}

function judge(call: Call, permission: Permission): Verdict {
  return authorize({
    principal: call.caller.principal,
    action: permission.action,
    owner: permission.owner ?? call.owner,
    key: permission.key,
    roles: permission.roles ?? [],
    conditions: { ...call.conditions, ...permission.conditions },
    path: call.path,
  });
}

/**
 * UUIDs to tag a new entry with: those that the request names; without any, the active roles of a user, or none for an
 * account. @throws VError `InvalidRoleTag`.
 */
export async function roleTags(call: Call): Promise<readonly string[]> {
  const { roleTag, principal } = call.caller;
  if (roleTag === undefined) return principal?.user ? call.activeRoles : [];
  const names = roleTag
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0) return [];
  const { uuids } = await call.services.accounts.uuids(call.owner.account.login, 'role', names);
  return names.map((name) => {
    const uuid = uuids[name];
    if (uuid === undefined) throw httpError('InvalidRoleTag', name);
    return uuid;
  });
}
