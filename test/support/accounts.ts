/** Accounts for tests: an account file with real keys, and requests signed by them. */
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sshpk from 'sshpk';
import type { Test } from 'tap';
import { type AccountFile, writeAccountFile } from '../../src/accounts/file.js';

export type KeyType = 'rsa' | 'ecdsa' | 'ed25519';

export interface TestKey {
  readonly privateKey: sshpk.PrivateKey;
  /** In OpenSSH form, as in an account file. */
  readonly publicKey: string;
  readonly md5: string;
  readonly sha256: string;
}

export function generateKey(type: KeyType = 'ecdsa'): TestKey {
  const privateKey = generatePrivateKey(type);
  const publicKey = privateKey.toPublic();
  return {
    privateKey,
    publicKey: publicKey.toString('ssh'),
    md5: publicKey.fingerprint('md5').toString('hex'),
    sha256: publicKey.fingerprint('sha256').toString(),
  };
}

function generatePrivateKey(type: KeyType): sshpk.PrivateKey {
  if (type === 'ecdsa') return sshpk.generatePrivateKey('ecdsa');
  if (type === 'ed25519') return sshpk.generatePrivateKey('ed25519');
  const { privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  return sshpk.parsePrivateKey(privateKey.export({ type: 'pkcs1', format: 'pem' }), 'pem');
}

/** Writes an account file into a directory that goes with the test. @returns its path. */
export function writeTestAccounts(t: Test, accounts: AccountFile['accounts']): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'marlin-accounts-'));
  t.teardown(() => fs.rmSync(directory, { recursive: true, force: true }));
  const file = path.join(directory, 'accounts.json');
  writeAccountFile(file, { accounts });
  return file;
}

/** Headers of a request signed as the published commands sign. @param keyPath `/login/keys/FP`. */
export function signedHeaders(
  key: TestKey,
  keyPath: string,
  date: Date = new Date(),
  algorithm = `${key.privateKey.type}-${key.privateKey.type === 'ed25519' ? 'sha512' : 'sha256'}`,
): { readonly date: string; readonly authorization: string } {
  const text = date.toUTCString();
  const signer = key.privateKey.createSign(algorithm.split('-')[1] as 'sha256');
  signer.update(`date: ${text}`);
  const signature = signer.sign().toString('asn1');
  const authorization = `Signature keyId="${keyPath}",algorithm="${algorithm}",headers="date",signature="${signature}"`;
  return { date: text, authorization };
}
