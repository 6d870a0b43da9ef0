/** Where a request comes from, for limits: what counts as one client. */
import net from 'node:net';

interface Sender {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/**
 * An IPv4 address, or the first half of an IPv6 address: whoever has one of those has all that begin alike.
 * @param behindBalancer the last address of `X-Forwarded-For` is what the balancer saw; those before it are what the
 *   client says, which may be anything.
 */
export function clientAddress({ headers, socket }: Sender, behindBalancer: boolean): string {
  const seen = behindBalancer
    ? String(headers['x-forwarded-for'] ?? '')
        .split(',')
        .at(-1)
        ?.trim()
    : '';
  const address = seen || (socket.remoteAddress ?? '');
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  return net.isIPv6(plain) ? network(plain) : plain;
}

const networkGroups = 4;

function network(address: string): string {
  const [before = '', after] = address.split('::');
  const head = groups(before);
  const tail = groups(after ?? '');
  const zeros = after === undefined ? 0 : 8 - head.length - tail.length;
  const all = [...head, ...Array<string>(zeros).fill('0'), ...tail];
  return `${all.slice(0, networkGroups).join(':')}::/64`;
}

function groups(text: string): readonly string[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16).toString(16));
}
