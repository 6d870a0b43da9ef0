/**
 * Objects, their place in the index, and what commands make of them. Contents are lists of tokens. What a command makes
 * of a token depends on nothing but the token and the phase, so that the result of a job does not depend on who met whom
 * in which reducer, and can be told beforehand: `expectedTokens`.
 */
import { createHash } from 'node:crypto';
import type { Phase } from '../../src/records/job.js';
import type { Store } from './store.js';

export const login = 'wilma';
export const owner = '11111111-1111-4111-8111-111111111111';

export type Tokens = readonly string[];

export interface Objects {
  readonly contents: ReadonlyMap<string, Tokens>;
  /** @param agents that hold a copy. */
  put(name: string, tokens: Tokens, agents: readonly string[]): void;
  remove(name: string): void;
}

export function createObjects(store: Store): Objects {
  const contents = new Map<string, Tokens>();
  const internal = (name: string) => name.replace(`/${login}/`, `/${owner}/`);
  return {
    contents,
    put(name, tokens, agents) {
      contents.set(name, tokens);
      const key = internal(name);
      const sharks = agents.map((agent) => ({ manta_storage_id: `stor.${agent}`, datacenter: 'sim' }));
      const place = { owner, creator: owner, objectId: `object of ${name}`, sharks };
      const value = { type: 'object', key, contentLength: tokens.length, ...place };
      store.batch([{ operation: 'put', bucket: 'manta', key, value }], 'front door');
    },
    remove(name) {
      if (contents.delete(name))
        store.batch([{ operation: 'delete', bucket: 'manta', key: internal(name) }], 'front door');
    },
  };
}

/** A map command of the first phase fails with it, whoever tries. */
export function isBad(token: string): boolean {
  return /^bad/.test(token);
}

/** A map command: several objects, each with the same number of tokens. */
export function mapped(tokens: Tokens, phase: number): Tokens[] {
  const [first] = tokens;
  if (first === undefined) return [];
  // Of many tokens all must be treated alike: then the number of outputs must not depend on them.
  return Array.from({ length: fanOut(first, phase, tokens.length) }, (_, copy) =>
    tokens.map((token) => `${token}.${copy}`),
  );
}

function fanOut(token: string, phase: number, count: number): number {
  if (phase > 0 || count > 1) return 1;
  const [byte = 0] = createHash('sha256').update(token).digest();
  return [1, 1, 1, 0, 2, 3][byte % 6] ?? 1;
}

export function expectedTokens(phases: readonly Phase[], inputs: readonly Tokens[]): string[] {
  let objects: Tokens[] = inputs.filter((tokens) => phases[0]?.type === 'reduce' || !tokens.some(isBad));
  phases.forEach(({ type }, phase) => {
    objects = type === 'reduce' ? [objects.flat()] : objects.flatMap((tokens) => mapped(tokens, phase));
  });
  return objects.flat().sort();
}
