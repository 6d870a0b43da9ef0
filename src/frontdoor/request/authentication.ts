/**
 * From an arrival to a call: who asks, whose path it is, which roles count, which key is meant; errors come in the order
 * of spec 07 §1.3. Rules about the entry itself wait until it has been read.
 */
import { activeRoles, asAnonymousUser, authenticate, resolveOwner } from '../../accounts/authenticate.js';
import type { AccountAnswer, Caller, Conditions } from '../../accounts/types.js';
import { httpError } from '../../http/errors.js';
import { keyOf } from '../paths.js';
import type { Arrival, Call } from './call.js';

/** @throws VError of the authentication errors, `RequestExpired`, `InvalidHeader`, `AccountDoesNotExist`, … */
export async function identify(arrival: Arrival, parameters: Call['parameters']): Promise<Call> {
  const { request, services, nowMs, target } = arrival;
  assertFresh(arrival);
  const { accounts, tokens } = services;
  const sender = await authenticate(request, { store: accounts, tokens, nowMs });
  const owner = await resolveOwner(accounts, target.login, sender);
  const caller = asAnonymousUser(sender, owner);
  const roles = activeRoles(caller);
  return {
    ...arrival,
    parameters,
    caller,
    owner,
    key: keyOf(owner.account.uuid, target.components),
    activeRoles: roles,
    isOperator: caller.principal?.account.isOperator === true && !caller.principal.user,
    conditions: conditionsOf(arrival, { owner, caller, roles }),
  };
}

/** A date that lies ahead is left to the check of the signature. */
function assertFresh({ request, services, nowMs }: Arrival): void {
  const { date } = request.headers;
  if (date === undefined) return;
  const sentMs = Date.parse(date);
  if (Number.isNaN(sentMs)) throw httpError('InvalidHeader', 'Date header is invalid');
  if (nowMs - sentMs > services.config.maxRequestAgeS * 1000) throw httpError('RequestExpired', date);
}

interface ConditionParts {
  readonly owner: AccountAnswer;
  readonly caller: Caller;
  readonly roles: readonly string[];
}

function conditionsOf(arrival: Arrival, { owner, caller, roles }: ConditionParts): Conditions {
  const { request, nowMs, services, method } = arrival;
  const now = new Date(nowMs).toISOString();
  const forwarded = request.headers['x-forwarded-for'];
  const [forwardedFor] = (typeof forwarded === 'string' ? forwarded : '').split(',');
  return {
    owner: owner.account.uuid,
    method,
    activeRoles: roles,
    activeXAcctRoles: caller.claims?.activeXAcctRoles ?? [],
    date: now,
    day: now,
    time: now,
    region: services.config.datacenter,
    sourceip: forwardedFor?.trim() || (request.socket.remoteAddress ?? ''),
    'user-agent': request.headers['user-agent'] ?? '',
    fromjob: caller.claims?.fromjob === true,
  };
}
