import type { Tokens } from './tokens.js';
import type { AccountStore, Caller, SignedRequest } from './types.js';

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
  throw new Error(`not yet: ${request.url} ${options.nowMs}`);
}
