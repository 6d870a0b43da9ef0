/**
 * Who sends a request: the one place that tells signature, token, presigned URL and no credentials apart, and what goes
 * with the caller: its active roles, and the owner of what it asks for.
 */
import { httpError } from '../http/errors.js';
import { principalName } from './authorize.js';
import { storeError } from './request-error.js';
import { isPresigned, verifyPresigned, verifySignature } from './signature.js';
import type { Tokens } from './tokens.js';
import type { AccountAnswer, AccountStore, Caller, SignedRequest, TokenClaims } from './types.js';

export interface AuthenticateOptions {
  readonly store: AccountStore;
  readonly tokens: Tokens;
  readonly nowMs: number;
}

/**
 * Who sends this request, by signature, token, presigned URL, or nobody (`principal: null`).
 * @throws VError of spec 07 §2.1–2.3.
 */
export async function authenticate(request: SignedRequest, options: AuthenticateOptions): Promise<Caller> {
  const { store, tokens, nowMs } = options;
  const query = queryOf(request);
  const roles = rolesAsked(
    request,
    isPresigned(query) && request.headers['authorization'] === undefined ? query : null,
  );
  const authorization = request.headers['authorization'];
  if (authorization === undefined) {
    if (!isPresigned(query)) return { principal: null, scheme: 'none', ...roles };
    return { principal: await verifyPresigned(request, store, nowMs), scheme: 'presigned', ...roles };
  }
  const [, scheme = '', rest] = /^(\S+)(?:\s+(.+))?$/s.exec(String(authorization).trim()) ?? [];
  if (rest === undefined) throw httpError('InvalidHeader', 'Invalid Authorization header');
  switch (scheme.toLowerCase()) {
    case 'signature':
      return { principal: await verifySignature(request, store, nowMs), scheme: 'signature', ...roles };
    case 'token': {
      const claims = tokens.parse(rest, nowMs);
      return { principal: await bearer(claims, store), scheme: 'token', claims, ...roles };
    }
    default:
      throw httpError('AuthorizationSchemeNotAllowed', scheme.toLowerCase());
  }
}

/**
 * UUIDs of the roles that count for this request: those of the token, else those asked for by name, else the caller's
 * default ones. @throws VError `InvalidRole` when the caller does not have one that it asked for.
 */
export function activeRoles(caller: Caller): readonly string[] {
  if (caller.claims !== undefined) return caller.claims.activeRoles;
  const { principal, role } = caller;
  if (principal === null) return [];
  const own = principal.user ?? principal.account;
  if (role === undefined) return own.defaultRoles;
  const names = role.split(',').map((name) => name.trim());
  if (principal.user && names.includes('*')) return own.roles;
  return names.filter((name) => name !== '').map((name) => roleNamed(name, principal, own.roles));
}

/**
 * The account in a path, with its user `anonymous` if it has one.
 * @throws VError `AccountDoesNotExist`, `AccountBlocked`.
 */
export async function resolveOwner(store: AccountStore, login: string, caller: Caller): Promise<AccountAnswer> {
  const owner = await store.user(login, 'anonymous', { fallback: true }).catch((error: unknown) => {
    throw storeError(error, login);
  });
  const { account } = owner;
  if (!account.approved_for_provisioning && !account.isOperator && caller.principal?.account.isOperator !== true)
    throw httpError('AccountBlocked', account.login);
  return owner;
}

/** A caller without credentials acts as the owner's user `anonymous`, where there is one. */
export function asAnonymousUser(caller: Caller, owner: AccountAnswer): Caller {
  return caller.principal === null && owner.user?.login === 'anonymous' ? { ...caller, principal: owner } : caller;
}

function rolesAsked(request: SignedRequest, query: URLSearchParams | null): { role?: string; roleTag?: string } {
  const role = query?.get('role') ?? request.headers['role'];
  const roleTag = query?.get('role-tag') ?? request.headers['role-tag'];
  return {
    ...(role === undefined ? {} : { role: String(role) }),
    ...(roleTag === undefined ? {} : { roleTag: String(roleTag) }),
  };
}

function queryOf(request: SignedRequest): URLSearchParams {
  const url = request.url ?? '';
  const start = url.indexOf('?');
  return start < 0 ? emptyQuery : new URLSearchParams(url.slice(start + 1));
}

const emptyQuery = new URLSearchParams();

/** The account is asked for again, so that a token of a closed account is worth nothing. */
async function bearer(claims: TokenClaims, store: AccountStore): Promise<AccountAnswer> {
  const asked = claims.user === null ? store.accountById(claims.account) : store.userById(claims.user);
  const principal = await asked.catch((error: unknown) => {
    throw storeError(error, claims.user ?? claims.account);
  });
  const { account } = principal;
  if (account.uuid !== claims.account) throw httpError('InvalidAuthenticationToken');
  if (!account.approved_for_provisioning && !account.isOperator)
    throw httpError('AccountBlocked', principalName(principal));
  return principal;
}

function roleNamed(name: string, principal: AccountAnswer, own: readonly string[]): string {
  const found = own.find((uuid) => principal.roles[uuid]?.name === name);
  if (found === undefined) throw httpError('InvalidRole', name);
  return found;
}
