import crypto from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { createTokens, tokenLifetimeMs } from '../../../src/accounts/tokens.js';

const tokens = createTokens(crypto.randomBytes(32).toString('hex'));
const claims = { account: 'uuid-a', user: null, activeRoles: ['r1', 'r2'], fromjob: true } as const;
const invalid = { name: 'InvalidAuthenticationToken', message: 'the authentication token you provided is malformed' };

t.same(tokens.parse(tokens.issue(claims, 1000), 1000), claims, 'claims come back');
t.same(tokens.parse(tokens.issue(claims, 0), tokenLifetimeMs), claims, 'for seven days');
t.throws(() => tokens.parse(tokens.issue(claims, 0), tokenLifetimeMs + 1), invalid, 'and not longer');
const stranger = createTokens(crypto.randomBytes(32).toString('hex'));
t.throws(() => tokens.parse(stranger.issue(claims, 0), 0), invalid, 'a token of another deployment is refused');
t.not(tokens.issue(claims, 0), tokens.issue(claims, 0), 'two tokens are never equal');

t.test('no changed or invented token is taken', async () => {
  const token = tokens.issue(claims, 0);
  const bytes = Buffer.from(token, 'base64url');
  const refused = (text: string) => {
    try {
      tokens.parse(text, 0);
      return false;
    } catch (error) {
      return (error as Error).name === 'InvalidAuthenticationToken';
    }
  };
  const position = fc.integer({ min: 0, max: bytes.length - 1 });
  const flip = fc.property(position, fc.integer({ min: 1, max: 255 }), (index, mask) => {
    const changed = Buffer.from(bytes);
    changed[index] = (changed[index] ?? 0) ^ mask;
    return refused(changed.toString('base64url'));
  });
  fc.assert(flip);
  fc.assert(fc.property(position, (length) => refused(bytes.subarray(0, length).toString('base64url'))));
  fc.assert(fc.property(fc.string(), refused));
});
