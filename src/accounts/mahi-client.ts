/**
 * An account store that asks Mahi. Answers are kept for a moment (300 ms by default: a change of rights counts almost at
 * once, and a thousand inputs of one job cost one question); equal questions in flight are asked once. Failures are not
 * kept.
 */
import VError from 'verror';
import { type Clock, isWithin, systemClock } from '../common/clock.js';
import { createJsonClient } from '../http/client.js';
import type { AccountAnswer, AccountStore, UuidsAnswer } from './types.js';

export interface MahiClient extends AccountStore {
  close(): void;
}

export interface MahiClientOptions {
  /** How long an answer is kept. */
  readonly maxAgeMs?: number;
  /** How many are kept. */
  readonly maxEntries?: number;
  readonly clock?: Clock;
}

interface Kept {
  readonly answer: Promise<unknown>;
  /** null: it is in flight, and shared with whoever asks the same. */
  answeredMs: number | null;
}

const requestTimeoutMs = 10_000;

/** @param url `http://host:port` */
export function createMahiClient(url: string, options: MahiClientOptions = {}): MahiClient {
  const { maxAgeMs = 300, maxEntries = 1000, clock = systemClock } = options;
  const client = createJsonClient(url, requestTimeoutMs);
  const kept = new Map<string, Kept>();

  const isFresh = ({ answeredMs }: Kept) => answeredMs === null || isWithin(maxAgeMs, answeredMs, clock.nowMs());

  function ask<Answer>(path: string, query: readonly (readonly [string, string])[] = []): Promise<Answer> {
    const question = query.length === 0 ? path : `${path}?${new URLSearchParams(query.map((pair) => [...pair]))}`;
    const known = kept.get(question);
    if (known !== undefined && isFresh(known)) return known.answer as Promise<Answer>;
    const answer = client.get(question).then(({ statusCode, body }) => {
      if (statusCode !== 200) throw lookUpFailed(statusCode, body, url);
      return body as Answer;
    });
    const entry: Kept = { answer, answeredMs: null };
    kept.delete(question); // the newest are last
    kept.set(question, entry);
    for (const oldest of kept.keys()) {
      if (kept.size <= maxEntries) break;
      kept.delete(oldest);
    }
    const forget = () => {
      if (kept.get(question) === entry) kept.delete(question);
    };
    answer.then(() => {
      entry.answeredMs = clock.nowMs();
    }, forget);
    return answer;
  }

  return {
    accountByLogin: (login) => ask<AccountAnswer>('/accounts', [['login', login]]),
    accountById: (uuid) => ask<AccountAnswer>(`/accounts/${encodeURIComponent(uuid)}`),
    userById: (uuid) => ask<AccountAnswer>(`/users/${encodeURIComponent(uuid)}`),
    user: (account, login, { fallback = false } = {}) =>
      ask<AccountAnswer>('/users', [
        ['account', account],
        ['login', login],
        ['fallback', String(fallback)],
      ]),
    names: (uuids) =>
      ask<Record<string, string>>(
        '/names',
        uuids.map((uuid) => ['uuid', uuid] as const),
      ),
    uuids: (account, type, names) =>
      ask<UuidsAnswer>('/uuids', [
        ['account', account],
        ['type', type],
        ...names.map((name) => ['name', name] as const),
      ]),
    close: () => client.close(),
  };
}

function lookUpFailed(statusCode: number, body: unknown, url: string): Error {
  const { code, message } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  if (statusCode === 404 && (code === 'AccountDoesNotExist' || code === 'UserDoesNotExist'))
    return new VError({ name: `${code}Error` }, '%s', String(message));
  return new VError(
    { name: 'MahiError', info: { statusCode } },
    'Mahi at %s answered %d: %s',
    url,
    statusCode,
    String(message),
  );
}
