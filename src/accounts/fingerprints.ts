/** Public keys by fingerprint: MD5 as sixteen colon-separated pairs without prefix, as key ids and Mahi write them. */
import crypto from 'node:crypto';
import sshpk from 'sshpk';

/** @throws Error when `text` is not a public key, in OpenSSH form or PEM. */
export function md5Fingerprint(text: string): string {
  return parsePublicKey(text).fingerprint('md5').toString('hex');
}

export interface VerifyingKey {
  readonly type: string;
  readonly key: crypto.KeyObject;
}

/** Finds the key of this fingerprint, in any of its spellings. undefined: not among `keys`. */
export function findKey(keys: Readonly<Record<string, string>>, fingerprint: string): string | undefined {
  if (fingerprint.startsWith('SHA256:'))
    return Object.values(keys).find((text) => sha256Fingerprint(text) === fingerprint.replace(/=+$/, ''));
  const md5 = fingerprint.replace(/^MD5:/i, '').toLowerCase();
  return Object.hasOwn(keys, md5) ? keys[md5] : undefined;
}

const maxVerifyingKeys = 1000;
const verifyingKeys = new Map<string, VerifyingKey>();

/** Ready to verify with; kept, since parsing costs more than verifying. */
export function verifyingKey(text: string): VerifyingKey {
  let found = verifyingKeys.get(text);
  if (found === undefined) {
    const parsed = parsePublicKey(text);
    found = { type: parsed.type, key: crypto.createPublicKey(parsed.toString('pkcs8')) };
    if (verifyingKeys.size >= maxVerifyingKeys) verifyingKeys.clear();
    verifyingKeys.set(text, found);
  }
  return found;
}

function sha256Fingerprint(text: string): string | undefined {
  try {
    return parsePublicKey(text).fingerprint('sha256').toString();
  } catch {
    return undefined; // a key that cannot be read is nobody's
  }
}

function parsePublicKey(text: string): sshpk.Key {
  return sshpk.parseKey(text.trim(), text.includes('-----BEGIN') ? 'pem' : 'ssh');
}
