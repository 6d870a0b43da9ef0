/**
 * Tokens: what stands in for a signature inside a job, and wherever a client asked for one. A token is its claims,
 * encrypted and authenticated (AES-256-GCM) with the deployment's key, so that nothing about it needs to be stored and
 * nobody can make or change one.
 *
 *   base64url( version (1 byte) | nonce (12) | tag (16) | encrypted JSON )
 *
 * A token says who its bearer is and which roles are active; the account itself is looked up again at each use, so that
 * a token of a closed account is worth nothing.
 */
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { httpError } from '../http/errors.js';
import type { TokenClaims } from './types.js';

/** Seven days. Source: spec 07 §2.2. */
export const tokenLifetimeMs = 604_800_000;

const version = 3; // 1 and 2 were other encodings, in the original
const nonceBytes = 12;
const tagBytes = 16;
const maxTokenCharacters = 8192;

/** A job sends its token with each of its thousands of requests: what it says is remembered. */
const maxOpenedTokens = 1000;

export interface Tokens {
  issue(claims: TokenClaims, nowMs: number): string;
  /** @throws VError `InvalidAuthenticationToken` whatever is wrong: made elsewhere, changed, expired. */
  parse(text: string, nowMs: number): TokenClaims;
}

interface Content extends TokenClaims {
  /** Creation, ms since the epoch. */
  readonly t: number;
}

interface OpenedToken {
  readonly claims: TokenClaims;
  readonly createdMs: number;
}

/** @param keyHex 32 bytes as 64 hexadecimal digits; white space around them is ignored. */
export function createTokens(keyHex: string): Tokens {
  const key = Buffer.from(keyHex.trim(), 'hex');
  assert.equal(key.length, 32, 'a token key has 64 hexadecimal digits');
  const opened = new Map<string, OpenedToken>();
  return {
    issue(claims, nowMs) {
      const nonce = crypto.randomBytes(nonceBytes);
      const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce);
      cipher.setAAD(Buffer.of(version));
      const content: Content = { ...claims, t: nowMs };
      const text = Buffer.concat([cipher.update(JSON.stringify(content), 'utf8'), cipher.final()]);
      return Buffer.concat([Buffer.of(version), nonce, cipher.getAuthTag(), text]).toString('base64url');
    },
    parse(text, nowMs) {
      const token = opened.get(text) ?? open(key, text);
      if (token === undefined || nowMs - token.createdMs > tokenLifetimeMs) {
        throw httpError('InvalidAuthenticationToken');
      }
      if (opened.size >= maxOpenedTokens) opened.clear();
      opened.set(text, token);
      return token.claims;
    },
  };
}

/** @returns undefined unless the token was made with this key and not changed since. */
function open(key: Buffer, text: string): OpenedToken | undefined {
  if (text.length > maxTokenCharacters) return undefined;
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length <= 1 + nonceBytes + tagBytes || bytes[0] !== version) return undefined;
  const nonce = bytes.subarray(1, 1 + nonceBytes);
  const decipher = crypto.createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.of(version));
  decipher.setAuthTag(bytes.subarray(1 + nonceBytes, 1 + nonceBytes + tagBytes));
  try {
    const plain = Buffer.concat([decipher.update(bytes.subarray(1 + nonceBytes + tagBytes)), decipher.final()]);
    const { t: createdMs, ...claims } = JSON.parse(plain.toString('utf8')) as Content;
    return { claims, createdMs };
  } catch {
    return undefined; // the tag does not match: what the bytes say is nobody's claim
  }
}
