/**
 * Signed requests: the Authorization header of HTTP signatures, and presigned URLs. Both name a key (`keyId`) and an
 * algorithm and differ only in what is signed; the checks after that are the same, in this order: account, user, account
 * active, key, signature. Source: spec 07 §2.1 and §2.3. There is no replay protection: clients reuse a signature for a
 * second, and the window is the clock skew allowed.
 */
import crypto from 'node:crypto';
import httpSignature from 'http-signature';
import { httpError } from '../http/errors.js';
import { findKey, verifyingKey } from './fingerprints.js';
import { storeError } from './request-error.js';
import type { AccountAnswer, AccountStore, SignedRequest } from './types.js';

const maxSkewSeconds = 300;

// biome-ignore format: table
const algorithms: Readonly<Record<string, { readonly type: string; readonly hash: string | null }>> = {
  'rsa-sha1':     { type: 'rsa', hash: 'sha1' },
  'rsa-sha256':   { type: 'rsa', hash: 'sha256' },
  'rsa-sha384':   { type: 'rsa', hash: 'sha384' },
  'rsa-sha512':   { type: 'rsa', hash: 'sha512' },
  'dsa-sha1':     { type: 'dsa', hash: 'sha1' },
  'dsa-sha256':   { type: 'dsa', hash: 'sha256' },
  'ecdsa-sha256': { type: 'ecdsa', hash: 'sha256' },
  'ecdsa-sha384': { type: 'ecdsa', hash: 'sha384' },
  'ecdsa-sha512': { type: 'ecdsa', hash: 'sha512' },
  'ed25519-sha512': { type: 'ed25519', hash: null }, // the hash is part of the scheme
};

interface Signed {
  readonly keyId: string;
  readonly algorithm: string;
  /** Base64. */
  readonly signature: string;
  readonly text: string;
}

/** Checks the signature in `Authorization`. @returns the account or user that signed. @throws VError of spec 07 §2.1. */
export async function verifySignature(
  request: SignedRequest,
  store: AccountStore,
  nowMs: number,
): Promise<AccountAnswer> {
  return verifySigned(parseAuthorization(request, nowMs), store);
}

/** Checks a presigned URL. @returns the account or user that signed. @throws VError of spec 07 §2.3. */
export async function verifyPresigned(
  request: SignedRequest,
  store: AccountStore,
  nowMs: number,
): Promise<AccountAnswer> {
  return verifySigned(parsePresigned(request, nowMs), store);
}

const presignedParameters = ['algorithm', 'expires', 'keyId', 'signature'] as const;

export function isPresigned(query: URLSearchParams): boolean {
  return presignedParameters.some((name) => query.has(name));
}

async function verifySigned(signed: Signed, store: AccountStore): Promise<AccountAnswer> {
  const { login, userLogin, fingerprint } = parseKeyId(signed.keyId);
  const name = userLogin === undefined ? login : `${login}/${userLogin}`;
  const principal = await (userLogin === undefined ? store.accountByLogin(login) : store.user(login, userLogin)).catch(
    (error: unknown) => {
      throw storeError(error, isUserMissing(error) ? name : login);
    },
  );
  const { account } = principal;
  if (!account.approved_for_provisioning && !account.isOperator) throw httpError('AccountBlocked', account.login);
  const key = findKey((principal.user ?? account).keys, fingerprint);
  if (key === undefined) throw httpError('KeyDoesNotExist', `/${name}/keys/${fingerprint}`);
  if (!isSignatureValid(key, signed)) throw httpError('InvalidSignature');
  return principal;
}

function isUserMissing(error: unknown): boolean {
  return error instanceof Error && error.name === 'UserDoesNotExistError';
}

function isSignatureValid(keyText: string, { algorithm, signature, text }: Signed): boolean {
  const scheme = algorithms[algorithm.toLowerCase()];
  const { type, key } = verifyingKey(keyText);
  if (scheme === undefined || scheme.type !== type) return false;
  try {
    return crypto.verify(scheme.hash, Buffer.from(text), key, Buffer.from(signature, 'base64'));
  } catch {
    return false; // not even of the right form
  }
}

function parseKeyId(keyId: string): { login: string; userLogin: string | undefined; fingerprint: string } {
  const match = /^\/([^/]+)(?:\/([^/]+))?\/keys\/([^/]+|SHA256:.+)$/.exec(keyId);
  if (match === null) throw httpError('InvalidKeyId');
  const [, login, userLogin, fingerprint] = match.map((part) => (part === undefined ? undefined : decode(part)));
  if (login === undefined || fingerprint === undefined) throw httpError('InvalidKeyId');
  return { login, userLogin, fingerprint };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw httpError('InvalidKeyId');
  }
}

function parseAuthorization(request: SignedRequest, nowMs: number): Signed {
  const authorization = String(request.headers['authorization'] ?? '').replace(/^\S+/, 'Signature');
  const headers: SignedRequest['headers'] = { ...request.headers, authorization };
  const invalid = (reason: string) => httpError('InvalidHeader', `Invalid Signature Authorization header: ${reason}`);
  const dateHeader = headers['x-date'] !== undefined ? 'x-date' : 'date';
  checkDate(headers[dateHeader], nowMs, invalid);
  let parsed: ReturnType<typeof httpSignature.parseRequest>;
  try {
    const like = { method: request.method, url: request.url, httpVersion: request.httpVersion, headers };
    // The library would read the clock itself: the skew was checked above.
    const options = { clockSkew: Number.MAX_SAFE_INTEGER, authorizationHeaderName: 'authorization' };
    parsed = httpSignature.parseRequest(like as unknown as Parameters<typeof httpSignature.parseRequest>[0], options);
  } catch (error) {
    throw invalid((error as Error).message);
  }
  const { params, signingString } = parsed as unknown as { params: Record<string, unknown>; signingString: string };
  const { keyId, algorithm, signature } = params;
  if (typeof keyId !== 'string' || typeof algorithm !== 'string' || typeof signature !== 'string')
    throw invalid('bad param format');
  if (!(params['headers'] as readonly string[]).includes(dateHeader))
    throw invalid(`${dateHeader} was not a signed header`);
  checkAlgorithm(algorithm, (name) => httpError('InvalidAlgorithm', name.toUpperCase(), supportedAlgorithms()));
  return { keyId, algorithm, signature, text: signingString };
}

function checkDate(value: SignedRequest['headers'][string], nowMs: number, invalid: (reason: string) => Error): void {
  if (value === undefined) return; // the parser says that it is missing
  const dateMs = new Date(String(value)).getTime();
  if (Number.isNaN(dateMs)) throw httpError('InvalidHeader', 'Date header is invalid');
  const skewSeconds = Math.abs(nowMs - dateMs) / 1000;
  if (skewSeconds > maxSkewSeconds) throw invalid(`clock skew of ${skewSeconds}s was greater than ${maxSkewSeconds}s`);
}

function checkAlgorithm(algorithm: string, unsupported: (algorithm: string) => Error): void {
  if (!Object.hasOwn(algorithms, algorithm.toLowerCase())) throw unsupported(algorithm);
}

function supportedAlgorithms(): string {
  return Object.keys(algorithms)
    .map((name) => name.toUpperCase())
    .join(', ');
}

function parsePresigned(request: SignedRequest, nowMs: number): Signed {
  const invalid = (reason: string) => httpError('InvalidQueryStringAuthentication', reason);
  const [path = '', ...rest] = (request.url ?? '').split('?');
  const query = new URLSearchParams(rest.join('?'));
  const method = request.method ?? 'GET';
  const methods = query.get('method')?.split(',') ?? [method];
  if (!methods.includes(method)) throw invalid(`${method} was not a signed method`);
  const absent = presignedParameters.filter((name) => !query.get(name));
  if (absent.length > 0) throw invalid(`parameters "${absent.join(', ')}" are required`);
  const value = (name: (typeof presignedParameters)[number]) => query.get(name) ?? '';
  const expiresMs = /^\d+$/.test(value('expires')) ? Number(value('expires')) * 1000 : 0;
  if (nowMs > expiresMs) throw invalid('request expired');
  const algorithm = value('algorithm');
  checkAlgorithm(algorithm, (name) => invalid(`${name.toUpperCase()} is not a supported signing algorithm`));
  const text = [[...methods].sort().join(','), String(request.headers['host'] ?? ''), path, canonicalQuery(query)];
  return { keyId: value('keyId'), algorithm, signature: value('signature'), text: text.join('\n') };
}

function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .filter(([name]) => name.toLowerCase() !== 'signature')
    .sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
    .map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`)
    .join('&');
}

/** RFC 3986: everything but `A-Z a-z 0-9 - _ . ~`. */
function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
