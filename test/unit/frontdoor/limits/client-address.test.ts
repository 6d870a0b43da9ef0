import t from 'tap';
import { clientAddress } from '../../../../src/frontdoor/limits/client-address.js';

// biome-ignore format: table
const cases: readonly [title: string, remoteAddress: string | undefined, forwarded: string | undefined, behindBalancer: boolean, client: string][] = [
  ['the other end of the connection', '10.0.0.7', undefined, false, '10.0.0.7'],
  ['what a client says of itself is not believed', '10.0.0.7', '10.9.9.9', false, '10.0.0.7'],
  ['nor what it told a balancer', '10.0.0.1', '10.9.9.9, 10.0.0.7', true, '10.0.0.7'],
  ['a request that came past the balancer', '10.0.0.7', undefined, true, '10.0.0.7'],
  ['IPv4 in the form of IPv6', '::ffff:10.0.0.7', undefined, false, '10.0.0.7'],
  ['a network of IPv6', '2001:db8:0:1:aa:bb:cc:dd', undefined, false, '2001:db8:0:1::/64'],
  ['the same network, written short', '2001:db8::1:0:0:0:5', undefined, false, '2001:db8:0:1::/64'],
  ['loopback', '::1', undefined, false, '0:0:0:0::/64'],
  ['a connection that is gone', undefined, undefined, false, ''],
];
for (const [title, remoteAddress, forwarded, behindBalancer, client] of cases) {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  t.equal(clientAddress({ headers, socket: { remoteAddress } }, behindBalancer), client, title);
}
