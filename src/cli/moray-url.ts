/** Where Moray is, from the environment: a host name or address, with or without port and scheme. */
import net from 'node:net';

const defaultUrl = 'tcp://localhost:2020';

/** @param text of `MORAY_URL`. @returns `tcp://HOST[:PORT]`. */
export function morayUrl(text: string | undefined): string {
  if (text === undefined || text === '') return defaultUrl;
  if (net.isIPv6(text)) return `tcp://[${text}]`;
  return `tcp://${text.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '').replace(/\/.*$/, '')}`;
}
