/** How failures of the account store look to a user. */
import VError from 'verror';
import { customHttpError, httpError } from '../http/errors.js';

/** @param name what the message calls the account or user. */
export function storeError(error: unknown, name: string): Error {
  const cause = error instanceof Error ? error : new Error(String(error));
  if (VError.hasCauseWithName(cause, 'AccountDoesNotExistError')) return httpError('AccountDoesNotExist', name);
  if (VError.hasCauseWithName(cause, 'UserDoesNotExistError')) return httpError('UserDoesNotExist', name);
  const message = 'manta is unable to serve this request';
  return customHttpError({ statusCode: 503, code: 'ServiceUnavailable', message }, cause);
}
