/**
 * Mahi's look-ups over any account store, so that processes elsewhere ask the one that has the account file:
 *
 *   GET /accounts?login=L       GET /users?account=L&login=U[&fallback=true]     GET /uuids?account=L&type=T&name=N[&name=…]
 *   GET /accounts/UUID          GET /users/UUID                                  GET /names?uuid=U[&uuid=…]
 *
 * 404 `AccountDoesNotExist` or `UserDoesNotExist` says that there is none.
 */
import type http from 'node:http';
import VError from 'verror';
import type { Logger } from '../common/logging.js';
import { customHttpError, httpAnswer } from '../http/errors.js';
import { closeServer, createInnerServer, listen, sendError, sendJson } from '../http/listen.js';
import type { AccountStore } from './types.js';

export interface MahiServer {
  readonly port: number;
  stop(): Promise<void>;
}

interface MahiRoute {
  readonly path: RegExp;
  readonly ask: (store: AccountStore, id: string, query: URLSearchParams) => Promise<unknown>;
}

const nameTypes = ['role', 'user', 'policy'] as const;

// biome-ignore format: table
const routes: readonly MahiRoute[] = [
  { path: /^\/accounts$/,         ask: (store, _id, query) => store.accountByLogin(required(query, 'login')) },
  { path: /^\/accounts\/([^/]+)$/, ask: (store, id) => store.accountById(id) },
  { path: /^\/users$/,            ask: (store, _id, query) => store.user(required(query, 'account'), required(query, 'login'),
                                         { fallback: query.get('fallback') === 'true' }) },
  { path: /^\/users\/([^/]+)$/,   ask: (store, id) => store.userById(id) },
  { path: /^\/uuids$/,            ask: (store, _id, query) => store.uuids(required(query, 'account'), nameType(query), query.getAll('name')) },
  { path: /^\/names$/,            ask: (store, _id, query) => store.names(query.getAll('uuid')) },
  { path: /^\/ping$/,             ask: async () => ({ pong: true }) },
];

export async function startMahiServer(
  store: AccountStore,
  options: { readonly host: string; readonly port: number; readonly log: Logger },
): Promise<MahiServer> {
  const server = createInnerServer((request, response) => {
    answer(store, request).then(
      (body) => sendJson(response, 200, body),
      (error: unknown) => {
        const known = asMahiError(error);
        if (httpAnswer(known).statusCode >= 500) options.log.error({ err: error, url: request.url }, 'look-up failed');
        sendError(response, known);
      },
    );
  });
  const port = await listen(server, options);
  return { port, stop: () => closeServer(server) };
}

async function answer(store: AccountStore, request: http.IncomingMessage): Promise<unknown> {
  const url = new URL(request.url ?? '/', 'http://mahi');
  const id = (path: RegExp) => path.exec(url.pathname)?.[1];
  const route = routes.find(({ path }) => path.test(url.pathname));
  if (route === undefined || request.method !== 'GET')
    throw customHttpError({ statusCode: 404, code: 'ResourceNotFound', message: `${url.pathname} does not exist` });
  return route.ask(store, decodeURIComponent(id(route.path) ?? ''), url.searchParams);
}

function required(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (value !== null) return value;
  throw customHttpError({ statusCode: 409, code: 'MissingParameter', message: `${name} is missing` });
}

function nameType(query: URLSearchParams): (typeof nameTypes)[number] {
  const value = required(query, 'type');
  const type = nameTypes.find((known) => known === value);
  if (type !== undefined) return type;
  throw customHttpError({ statusCode: 409, code: 'InvalidParameter', message: `"${value}" is invalid for "type"` });
}

const missing = { AccountDoesNotExistError: 'AccountDoesNotExist', UserDoesNotExistError: 'UserDoesNotExist' } as const;

function asMahiError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  for (const [name, code] of Object.entries(missing))
    if (VError.hasCauseWithName(error, name)) return customHttpError({ statusCode: 404, code, message: error.message });
  return error;
}
