/**
 * Who may do what: one set of rules, for the front door, which asks per request, and for the supervisor, which asks
 * about each input of a job.
 *
 *   public and only read? ----------------------------------------------> allowed
 *   owner or operator themselves? --------------------------------------> allowed
 *   caller or owner not active? ----------------------------------------> refused
 *   a rule of an active role of the owner's account grants it? ----------> allowed
 *   refused so far, and a rule of the owner's user `anonymous` grants it -> allowed, else the first refusal stands
 *
 * A role counts for a resource that carries its tag; for others only those of its rules count that name resources. What
 * is not granted is refused, and what is malformed (a role that is not the caller's, a rule that cannot be read) grants
 * nothing. Principals also come out of job records, some written by others: nothing but their UUIDs is taken as given.
 */
import { namesResources, ruleAllows } from './rules.js';
import type { AccountAnswer, AuthorizeQuestion, Role, RuleText, Verdict } from './types.js';

const publicKeyPattern = /^\/[^/]+\/public(\/|$)/;
const publicActions = new Set(['getobject', 'getdirectory', 'mlogin']);
const administrator = 'administrator';

export function authorize(question: AuthorizeQuestion): Verdict {
  if (publicActions.has(question.action) && publicKeyPattern.test(question.key)) return { allowed: true };
  const { principal, owner } = question;
  const verdict =
    principal === null ? refusedAs('AuthorizationFailed', null, question) : authorizePrincipal(principal, question);
  if (verdict.allowed || owner.user?.login !== 'anonymous') return verdict;
  const conditions = { ...question.conditions, activeRoles: owner.user.defaultRoles, activeXAcctRoles: [] };
  const anonymously = authorizePrincipal(owner, { ...question, conditions });
  return anonymously.allowed ? anonymously : verdict;
}

/** For jobs of front doors that did not say who the principal is. */
export function authorizeLegacy(question: {
  readonly ownerUuid: string;
  readonly auth: { readonly uuid?: string; readonly groups?: readonly string[] };
  /** As the user wrote it: `/login/public/…`. */
  readonly name: string;
}): boolean {
  const { auth, ownerUuid, name } = question;
  if (auth.uuid === ownerUuid || auth.groups?.includes('operators') === true) return true;
  return /^\/[^/]+\/public\/./s.test(name);
}

/** How messages call a principal. */
export function principalName(principal: AccountAnswer | null): string {
  if (principal === null) return 'anonymous';
  const { account, user } = principal;
  return user === undefined || user === null ? account.login : `${account.login}/${user.login}`;
}

function authorizePrincipal(principal: AccountAnswer, question: AuthorizeQuestion): Verdict {
  const { account, user } = principal;
  const owner = question.owner.account;
  const isAccount = user === undefined || user === null;
  if (isAccount && (account.uuid === owner.uuid || account.isOperator)) return { allowed: true };
  if (!account.approved_for_provisioning && !account.isOperator) return blocked(account.login);
  if (!owner.approved_for_provisioning && !owner.isOperator && !account.isOperator) return blocked(owner.login);
  return authorizeRoles(principal, question);
}

function authorizeRoles(principal: AccountAnswer, question: AuthorizeQuestion): Verdict {
  const { key, conditions } = question;
  const owner = question.owner.account;
  const rules: RuleText[] = [];
  let rolesOfOwner = 0;
  let taggedRoles = 0;
  for (const uuid of [...(conditions.activeRoles ?? []), ...(conditions.activeXAcctRoles ?? [])]) {
    const role = ownMember(principal.roles, uuid);
    if (role === undefined) return refusedAs('AuthorizationFailed', principal, question);
    if (role.name === administrator) {
      const atHome = principal.account.isOperator && role.account === principal.account.uuid;
      if (role.account === owner.uuid || atHome) return { allowed: true };
      continue;
    }
    if (role.account !== owner.uuid) continue;
    rolesOfOwner++;
    const tagged = question.roles.includes(uuid);
    if (tagged) taggedRoles++;
    const roleRules = role.rules ?? [];
    rules.push(...(tagged ? roleRules : roleRules.filter(namesResources)));
  }
  if (rules.length === 0) {
    const untagged = rolesOfOwner > 0 && taggedRoles === 0;
    return refusedAs(untagged ? 'NoMatchingRoleTag' : 'AuthorizationFailed', principal, question);
  }
  const names = [key, withLogin(key, owner.uuid, owner.login)];
  const allowed = rules.some((rule) => ruleAllows(rule, { action: question.action, names, conditions }));
  return allowed ? { allowed: true } : refusedAs('AuthorizationFailed', principal, question);
}

function ownMember(roles: Readonly<Record<string, Role>> | undefined, uuid: string): Role | undefined {
  return roles !== undefined && Object.hasOwn(roles, uuid) ? roles[uuid] : undefined;
}

function withLogin(key: string, uuid: string, login: string): string {
  return key.startsWith(`/${uuid}/`) || key === `/${uuid}` ? `/${login}${key.slice(uuid.length + 1)}` : key;
}

function blocked(login: string): Verdict {
  return { allowed: false, code: 'AccountBlocked', message: `${login} is not an active account` };
}

function refusedAs(
  code: 'AuthorizationFailed' | 'NoMatchingRoleTag',
  principal: AccountAnswer | null,
  { path, key }: AuthorizeQuestion,
): Verdict {
  const message =
    code === 'NoMatchingRoleTag'
      ? 'None of your active roles are present on the resource.'
      : `${principalName(principal)} is not allowed to access ${path ?? key}`;
  return { allowed: false, code, message };
}
