import type { AccountAnswer, AuthorizeQuestion, Verdict } from './types.js';

export function authorize(question: AuthorizeQuestion): Verdict {
  throw new Error(`not yet: ${question.action}`);
}

export function authorizeLegacy(question: {
  readonly ownerUuid: string;
  readonly auth: { readonly uuid?: string; readonly groups?: readonly string[] };
  /** As the user wrote it: `/login/public/…`. */
  readonly name: string;
}): boolean {
  throw new Error(`not yet: ${question.name}`);
}

/** UUIDs of the caller's active roles. @throws VError `InvalidRole`. */
export function activeRoles(principal: AccountAnswer, roleHeader: string | undefined): readonly string[] {
  throw new Error(`not yet: ${roleHeader} ${principal.account.login}`);
}
