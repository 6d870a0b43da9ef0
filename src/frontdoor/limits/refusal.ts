/** What is beyond a limit: counted by limit, and answered with 503 and the time after which to come again. */
import { Counter, type Registry } from 'prom-client';
import { customHttpError, httpAnswer, httpError } from '../../http/errors.js';

export type LimitName =
  | 'requestsPerSecond'
  | 'requestsAtOnce'
  | 'anonymousRequestsPerSecond'
  | 'anonymousRequestsAtOnce'
  | 'liveJobs'
  | 'connections'
  | 'connectionsPerAddress';

/** For `/metrics`. */
export type CountRefusal = (limit: LimitName) => void;

export function createRefusalCount(registry: Registry): CountRefusal {
  const throttled = new Counter({
    name: 'marlin_frontdoor_throttled_total',
    help: 'requests and connections refused because their sender has enough, by limit',
    labelNames: ['limit'],
    registers: [registry],
  });
  return (limit) => throttled.inc({ limit });
}

/** @param why follows the text of the code. @param waitMs until it may be tried again. */
export function throttledError(why: string, waitMs: number, more: Readonly<Record<string, string>> = {}): Error {
  const { statusCode, code, message } = httpAnswer(httpError('ThrottledError'));
  const headers = { 'Retry-After': String(Math.max(1, Math.ceil(waitMs / 1000))), ...more };
  return customHttpError({ statusCode, code, message: `${message}: ${why}`, headers });
}
