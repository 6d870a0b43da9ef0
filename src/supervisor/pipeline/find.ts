/**
 * From the name of an object to where it is, or to the error that the user sees: whose name it is (Mahi), what the index
 * has, whether this job may read it. Faults of Mahi and the index are waited out for a while before they become the
 * user's (as `InternalError`): most are over in seconds.
 */
import VError from 'verror';
import { authorize, authorizeLegacy } from '../../accounts/authorize.js';
import type { AccountAnswer, AccountStore, Conditions } from '../../accounts/types.js';
import { type Clock, sleep } from '../../common/clock.js';
import { type TaskError, taskErrors } from '../../records/error-codes.js';
import type { JobAuth } from '../../records/job.js';
import type { Copy, FoundObject } from './decide.js';
import type { IndexRecord, Locator } from './locate.js';
import { ownerLogin, underOwner } from './names.js';

export interface StoragePlace {
  readonly agent: string;
  readonly zonename: string;
}

export interface Finder {
  /**
   * @param name normalised.
   * @param onFault a neighbour does not answer as it should: this may take long.
   */
  find(name: string, auth: JobAuth | undefined, onFault?: () => void): Promise<FoundObject | TaskError>;
}

export interface FinderOptions {
  readonly accounts: Pick<AccountStore, 'user'>;
  readonly locator: Locator;
  /** By `manta_storage_id`. */
  readonly storage: { get(storageId: string): StoragePlace | undefined; refresh(): Promise<void> };
  readonly clock: Clock;
  readonly patienceMs: number;
  readonly signal: AbortSignal;
}

export function createFinder({ accounts, locator, storage, clock, patienceMs, signal }: FinderOptions): Finder {
  const patiently = async <Answer>(ask: () => Promise<Answer>, onFault: () => void): Promise<Answer> => {
    let startMs = clock.nowMs();
    for (let pauseMs = 100; ; pauseMs = Math.min(5000, 2 * pauseMs)) {
      try {
        return await ask();
      } catch (error) {
        const nowMs = clock.nowMs();
        startMs = Math.min(startMs, nowMs); // a clock that is set back begins it anew
        if (isVerdict(error as Error) || nowMs - startMs >= patienceMs) throw error;
        onFault();
        if (!(await sleep(clock, pauseMs, signal))) throw error;
      }
    }
  };

  return {
    async find(name, auth, onFault = () => {}) {
      const login = ownerLogin(name);
      if (login === '') return taskErrors.malformedName(name);
      let owner: AccountAnswer;
      try {
        owner = await patiently(() => accounts.user(login, 'anonymous', { fallback: true }), onFault);
      } catch (error) {
        if (isVerdict(error as Error)) return taskErrors.noSuchObject(name);
        return taskErrors.internal((error as Error).message);
      }
      const key = underOwner(name, owner.account.uuid);
      let record: IndexRecord | null;
      try {
        record = await patiently(() => locator.locate(key), onFault);
      } catch (error) {
        return taskErrors.locating(name, (error as Error).message);
      }
      if (record === null) return taskErrors.noSuchObject(name);
      if (record['type'] !== 'object') return taskErrors.unsupportedType(String(record['type']), name);
      if (unknownStorage(record, storage.get).length > 0) await storage.refresh();
      const object = readIndex(record, name, owner.account.uuid, storage.get);
      if ('code' in object) return object;
      return mayRead({ name, key, owner, auth, roles: texts(record['roles']) })
        ? object
        : taskErrors.permissionDenied(name);
    },
  };
}

function isVerdict(error: Error): boolean {
  return VError.hasCauseWithName(error, 'AccountDoesNotExistError') || error.name === 'AccountDoesNotExistError';
}

/** What the index says about an object, in our words. */
export function readIndex(
  record: IndexRecord,
  name: string,
  account: string,
  storageOf: (storageId: string) => StoragePlace | undefined,
): FoundObject | TaskError {
  const { sharks, creator, owner, objectId, contentLength } = record;
  if (!Array.isArray(sharks)) return taskErrors.invalidSharks(name);
  const isEmpty = contentLength === 0;
  if (!isEmpty && sharks.length === 0) return taskErrors.noSharks(name);
  const copies = storageIds(sharks).flatMap((storageId): Copy[] => {
    const place = storageOf(storageId);
    return place === undefined ? [] : [place];
  });
  return { account, creator: String(creator ?? owner ?? account), objectId: String(objectId), isEmpty, copies };
}

function unknownStorage(record: IndexRecord, storageOf: (storageId: string) => StoragePlace | undefined): string[] {
  const { sharks } = record;
  if (!Array.isArray(sharks)) return [];
  return storageIds(sharks).filter((storageId) => storageOf(storageId) === undefined);
}

function storageIds(sharks: readonly unknown[]): string[] {
  return sharks.flatMap((shark) => {
    const storageId = (shark as { manta_storage_id?: unknown } | null)?.manta_storage_id;
    return typeof storageId === 'string' ? [storageId] : [];
  });
}

interface ReadQuestion {
  readonly name: string;
  readonly key: string;
  readonly owner: AccountAnswer;
  readonly auth: JobAuth | undefined;
  readonly roles: readonly string[];
}

/** The rules of the front door; for jobs from before there were roles, those of old. */
function mayRead({ name, key, owner, auth, roles }: ReadQuestion): boolean {
  const principal = auth?.principal as AccountAnswer | undefined;
  if (principal === undefined) {
    const { uuid, groups } = auth ?? {};
    const legacy = { ...(uuid === undefined ? {} : { uuid }), ...(groups === undefined ? {} : { groups }) };
    return authorizeLegacy({ ownerUuid: owner.account.uuid, auth: legacy, name });
  }
  const conditions: Conditions = { ...(auth?.conditions as Conditions | undefined), fromjob: true };
  try {
    return authorize({ principal, action: 'getobject', owner, key, roles, conditions, path: name }).allowed;
  } catch {
    return false; // credentials that the rules cannot read allow nothing
  }
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : [];
}
