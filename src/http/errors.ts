/**
 * Errors that travel as `{code, message}`: one table gives status and text of each code (spec 07 §1.4). An error made
 * here is a VError whose name is the code and whose info says how to answer, so that it can be thrown anywhere and is
 * answered in one place. Anything else that reaches that place is a defect or an outage: `InternalError`, and the log
 * tells the operator what the user is not told.
 */
import assert from 'node:assert/strict';
import VError from 'verror';

interface ErrorRow {
  readonly status: number;
  /** printf-like: each `%s` takes one argument. */
  readonly message: string;
  /** When it differs from the name of the row. */
  readonly code?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

// biome-ignore format: table
const rows = {
  AccountBlocked:                   { status: 403, message: '%s is not an active account' },
  AccountDoesNotExist:              { status: 403, message: '%s does not exist' },
  AuthorizationFailed:              { status: 403, message: '%s is not allowed to access %s' },
  AuthorizationRequired:            { status: 401, message: 'Authorization is required' },
  AuthorizationSchemeNotAllowed:    { status: 403, message: "%s is not allowed (use 'signature')" },
  BadDigest:                        { status: 400, message: "Content-MD5 '%s' didn't match '%s'" },
  BadRequestError:                  { status: 400, message: '%s' },
  ConcurrentRequest:                { status: 409, message: '%s was being concurrently updated' },
  ContentLengthRequired:            { status: 411, message: 'Content-Length must be >= 0' },
  ContentMD5Mismatch:               { status: 400, message: 'Content-MD5 expected %s, but was %s' },
  DirectoryDoesNotExist:            { status: 404, message: '%s does not exist' },
  DirectoryLimitExceeded:           { status: 409, message: '%s cannot exceed 1,000,000 entries' },
  DirectoryNotEmpty:                { status: 400, message: '%s is not empty' },
  EntityAlreadyExists:              { status: 409, message: '%s already exists' },
  ExpectedUpgrade:                  { status: 400, message: '%s requires a Websocket Upgrade' },
  InternalError:                    { status: 500, message: 'an unexpected error occurred' },
  NoStorageNodes:                   { status: 503, message: 'No storage nodes available for this request',
                                      code: 'InternalError', headers: { 'Retry-After': '30' } },
  InvalidAlgorithm:                 { status: 401, message: '%s is not a supported signing algorithm. Supported algorithms are %s' },
  InvalidArgumentError:             { status: 400, message: '%s' },
  InvalidAuthenticationToken:       { status: 403, message: 'the authentication token you provided is malformed' },
  InvalidContent:                   { status: 400, message: 'Invalid JSON: %s' },
  InvalidDurabilityLevel:           { status: 400, message: 'durability-level must be between %s and %s' },
  InvalidHeader:                    { status: 400, message: '%s' },
  InvalidHttpAuthenticationToken:   { status: 403, message: '%s' },
  InvalidJob:                       { status: 400, message: '%s' },
  InvalidJobState:                  { status: 409, message: "job %s is in state '%s'" },
  InvalidKeyId:                     { status: 403, message: 'the KeyId token you provided is invalid' },
  InvalidLink:                      { status: 400, message: '%s is an invalid link' },
  InvalidMaxContentLength:          { status: 400, message: '%s is an invalid max-content-length value' },
  InvalidMultipartUploadState:      { status: 409, message: 'upload %s: %s' },
  InvalidParameter:                 { status: 400, message: '"%s" is invalid for "%s"' },
  InvalidQueryStringAuthentication: { status: 403, message: '%s' },
  InvalidResource:                  { status: 400, message: '"%s" is invalid' },
  InvalidRole:                      { status: 409, message: 'Role "%s" is invalid.' },
  InvalidRoleTag:                   { status: 409, message: 'Role tag "%s" is invalid.' },
  InvalidSignature:                 { status: 403, message: 'The signature we calculated does not match the one you sent' },
  InvalidUpdate:                    { status: 400, message: 'overwrite of "%s" forbidden%s' },
  InvalidVersion:                   { status: 400, message: '%s' },
  JobNotFound:                      { status: 404, message: '%s was not found' },
  KeyDoesNotExist:                  { status: 403, message: '%s does not exist' },
  LinkNotObject:                    { status: 400, message: '%s is not an object' },
  LocationRequired:                 { status: 400, message: 'An HTTP Location header must be specified' },
  MaxContentLengthExceeded:         { status: 413, message: 'request has exceeded %s bytes' },
  MethodNotAllowedError:            { status: 405, message: '%s is not allowed' },
  MissingPermission:                { status: 403, message: 'missing role allowing %s' },
  MultipartUploadInvalidArgument:   { status: 409, message: '%s' },
  NoMatchingRoleTag:                { status: 403, message: 'None of your active roles are present on the resource.' },
  NotAcceptable:                    { status: 406, message: '%s accepts %s' },
  NotEnoughSpace:                   { status: 507, message: 'not enough free space for %s MB' },
  NotImplemented:                   { status: 501, message: 'multi-range requests not supported' },
  OperationNotAllowedOnDirectory:   { status: 400, message: '%s is a directory: %s is not allowed' },
  OperationNotAllowedOnRootDirectory: { status: 400, message: '%s is not allowed on %s' },
  ParentNotDirectory:               { status: 400, message: '%s is not a directory' },
  PreconditionFailed:               { status: 412, message: '%s' },
  QueryParameterForbidden:          { status: 403, message: 'Use of these query parameters is restricted to operators: %s' },
  RequestEntityTooLargeError:       { status: 413, message: 'Request body size exceeds %s' },
  RequestExpired:                   { status: 400, message: 'Date header %s is too old' },
  RequestedRangeNotSatisfiable:     { status: 416, message: '%s is an invalid range' },
  RequestedRangeNotSatisfiableError: { status: 416, message: '%s' },
  ResourceNotFound:                 { status: 404, message: '%s was not found' },
  ResourceDoesNotExist:             { status: 404, message: '%s does not exist', code: 'ResourceNotFound' },
  SecureTransportRequired:          { status: 403, message: 'Manta requires a secure transport (SSL/TLS)' },
  ServiceUnavailable:               { status: 503, message: 'manta is unable to serve this request' },
  SessionExists:                    { status: 409, message: '%s' },
  SessionNotFound:                  { status: 404, message: 'Session for job %s was not found', code: 'ResourceNotFound' },
  SnaplinksDisabledError:           { status: 403, message: '%s' },
  SourceObjectNotFound:             { status: 404, message: '%s was not found' },
  ThrottledError:                   { status: 503, message: 'manta throttled this request' },
  UploadAbandoned:                  { status: 499, message: 'request was aborted prematurely by the client' },
  UploadTimeout:                    { status: 408, message: 'request took too long to send data', headers: { Connection: 'close' } },
  UserDoesNotExist:                 { status: 403, message: '%s does not exist' },
} as const satisfies Readonly<Record<string, ErrorRow>>;

export type ErrorRowName = keyof typeof rows;

/** How an error is answered. */
export interface HttpAnswer {
  readonly statusCode: number;
  readonly code: string;
  readonly message: string;
  readonly headers: Readonly<Record<string, string>>;
}

const marker = 'httpAnswer';

/** Fills the row's text with `args` in order. @returns a VError named by the code. */
export function httpError(name: ErrorRowName, ...args: readonly (string | number)[]): VError {
  const row: ErrorRow = rows[name];
  const places = row.message.split('%s');
  assert.equal(args.length, places.length - 1, `${name} takes ${places.length - 1} arguments`);
  const message = places.reduce((text, place, index) => `${text}${args[index - 1] ?? ''}${place}`);
  return customHttpError({ statusCode: row.status, code: row.code ?? name, message, headers: row.headers ?? {} });
}

/** For answers that the table does not have. `cause` is logged, never answered. */
export function customHttpError(
  answer: Omit<HttpAnswer, 'headers'> & { readonly headers?: HttpAnswer['headers'] },
  cause?: Error,
): VError {
  const info = { [marker]: { headers: {}, ...answer } };
  const options = cause === undefined ? { name: answer.code, info } : { name: answer.code, info, cause };
  return new VError(options, '%s', answer.message);
}

/** What to answer: the error's own answer, or `InternalError` for errors that were never meant for users. */
export function httpAnswer(error: unknown): HttpAnswer {
  const answer: unknown = error instanceof Error ? VError.info(error)[marker] : undefined;
  if (answer !== undefined) return answer as HttpAnswer;
  return { statusCode: 500, code: 'InternalError', message: rows.InternalError.message, headers: {} };
}

/** Whether the error says itself how it is to be answered. */
export function isHttpError(error: unknown): error is Error {
  return error instanceof Error && VError.info(error)[marker] !== undefined;
}
