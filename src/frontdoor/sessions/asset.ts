/**
 * Publishes the session agent where `mlogin` of every vintage asks for it: `/poseidon/public/medusa/agent.sh`. The agent
 * itself is part of what each zone sees; the object only starts it. Written through the front door's own API, like any
 * object, when it is not there yet or differs; tried again until there are storage nodes to take it.
 */
import crypto from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { Tokens } from '../../accounts/tokens.js';
import type { AccountStore } from '../../accounts/types.js';
import { type Clock, sleep } from '../../common/clock.js';
import type { Logger } from '../../common/logging.js';

export interface AssetOptions {
  /** Of this front door. */
  readonly address: { readonly host: string; readonly port: number };
  readonly accounts: AccountStore;
  readonly tokens: Tokens;
  readonly clock: Clock;
  readonly log: Logger;
}

const owner = 'poseidon';
const directory = `/${owner}/public/medusa`;
const name = `${directory}/agent.sh`;
const content = `#!/bin/bash
# Starts the in-job end of an interactive session (mlogin), which zones have among their tools.
exec marlin-session "$@"
`;
const contentMd5 = crypto.createHash('md5').update(content).digest('base64');
const retryMs = 5_000;

/** @returns what ends the trying. */
export function publishAsset(options: AssetOptions): () => void {
  const stop = new AbortController();
  void keepTrying(options, stop.signal);
  return () => stop.abort();
}

async function keepTrying(options: AssetOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options;
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      await publish(options, signal);
      return;
    } catch (error) {
      if (failures === 0 && !signal.aborted)
        log.info({ err: error }, 'mlogin has to wait: "%s" is not stored yet', name);
    }
    await sleep(clock, retryMs, signal);
  }
}

async function publish({ address, accounts, tokens, clock }: AssetOptions, signal: AbortSignal): Promise<void> {
  const { account } = await accounts.accountByLogin(owner);
  const token = tokens.issue({ account: account.uuid, user: null, activeRoles: [] }, clock.nowMs());
  const ask = async (method: string, path: string, headers: http.OutgoingHttpHeaders, body?: string) => {
    const host = address.host === '0.0.0.0' || address.host === '::' ? '127.0.0.1' : address.host;
    const all = { ...headers, authorization: `Token ${token}` };
    const request = http.request({ host, port: address.port, agent: false, method, path, headers: all, signal });
    request.end(body);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    await once(response, 'end');
    return response;
  };
  const found = await ask('HEAD', name, {});
  if (found.statusCode === 200 && found.headers['content-md5'] === contentMd5) return;
  const type = 'application/json; type=directory';
  for (const [path, headers, body] of [
    [directory, { 'content-type': type, 'content-length': 0 }, undefined],
    [name, { 'content-type': 'text/plain', 'content-length': content.length }, content],
  ] as const) {
    const { statusCode } = await ask('PUT', path, headers, body);
    if (statusCode !== 204) throw new Error(`PUT of ${path} was answered with ${statusCode}`);
  }
}
