/**
 * `POST live/objects`: small objects that tasks have made, saved together. The same steps as a PUT of each, with one look
 * at each directory, one message to each storage node and one write of all entries. Whatever is not the usual case is not
 * saved, and the caller, who is told, sends it by itself (taskapi/save-together.ts).
 */
import crypto from 'node:crypto';
import type { FromSchema } from 'json-schema-to-ts';
import { httpError } from '../../http/errors.js';
import { checkOf } from '../../records/validation.js';
import { maxBytesTogether, maxObjectsTogether, type SavedTogether } from '../../taskapi/save-together.js';
import { type ObjectEntry, objectEntry } from '../metadata/entry.js';
import { isConflict } from '../metadata/entry-store.js';
import { assertInTime } from '../metadata/in-time.js';
import { destination } from '../objects/place.js';
import { emptyMd5 } from '../objects/put.js';
import { storeTogether } from '../objects/receive.js';
import { defaultCopies } from '../objects/size.js';
import { keyOf, parentKey } from '../paths.js';
import type { StorageNode } from '../placement/choose.js';
import type { Call } from '../request/call.js';
import { defaultContentType } from '../request/content-type.js';
import { readJson } from '../request/json-body.js';
import { isAllowed, roleTags } from '../request/permission.js';
import { respondJson } from '../request/respond.js';

const bodySchema = {
  type: 'object',
  required: ['objects'],
  properties: {
    objects: {
      type: 'array',
      maxItems: maxObjectsTogether,
      items: {
        type: 'object',
        required: ['name', 'body'],
        properties: { name: { type: 'string' }, body: { type: 'string' } },
      },
    },
  },
} as const;

const isBody = checkOf<FromSchema<typeof bodySchema>>('body', bodySchema);

/** Base64 takes a third more; names and braces are small beside it. */
const maxBodyBytes = 2 * maxBytesTogether;

interface NewObject {
  readonly key: string;
  readonly objectId: string;
  readonly bytes: Buffer;
  /** base64 */
  readonly md5: string;
}

export async function saveObjects(call: Call): Promise<void> {
  if (call.caller.principal === null) throw httpError('AuthorizationFailed', 'anonymous', call.path);
  const objects = parse(call, await readJson(call, maxBodyBytes));
  const usual = await usualOnes(call, objects);
  const saved: SavedTogether = { saved: objects.map((object) => usual.has(object)) };
  respondJson(call.response, 200, (await store(call, [...usual])) ? saved : { saved: objects.map(() => false) });
}

/** @throws VError `InvalidArgumentError`, `RequestEntityTooLargeError`. */
function parse(call: Call, body: unknown): readonly NewObject[] {
  if (!isBody(body)) throw httpError('InvalidArgumentError', isBody.problem(body) ?? '');
  const { owner, target, services } = call;
  const below = `/${target.login}/jobs/${call.parameters['job']}/stor/`;
  const taken = new Set<string>();
  let sizeBytes = 0;
  return body.objects.map(({ name, body }) => {
    const components = name.split('/').filter((component) => component !== '');
    if (!name.startsWith(below) || components.length < 5 || /\0|\p{Surrogate}/u.test(name)) {
      throw httpError('InvalidArgumentError', `"${name}" is not the name of an object below ${below}`);
    }
    const key = keyOf(owner.account.uuid, components.slice(1));
    if (taken.has(key)) throw httpError('InvalidArgumentError', `"${name}" is there twice`);
    taken.add(key);
    const bytes = Buffer.from(body, 'base64');
    if (bytes.toString('base64') !== body)
      throw httpError('InvalidArgumentError', `the body of "${name}" is no base64`);
    sizeBytes += bytes.length;
    if (sizeBytes > maxBytesTogether) throw httpError('RequestEntityTooLargeError', maxBytesTogether);
    const md5 = bytes.length === 0 ? emptyMd5 : crypto.createHash('md5').update(bytes).digest('base64');
    return { key, objectId: services.newId(), bytes, md5 };
  });
}

/** Those whose directory is there, has room, and may be written to. */
async function usualOnes(call: Call, objects: readonly NewObject[]): Promise<Set<NewObject>> {
  const { entries } = call.services;
  const usual = new Set<NewObject>();
  for (const dirname of new Set(objects.map(({ key }) => parentKey(key)))) {
    const directory = await entries.get(dirname);
    if (directory?.entry.type !== 'directory') continue;
    const { roles = [] } = directory.entry;
    for (const object of objects.filter(({ key }) => parentKey(key) === dirname)) {
      const permission = { action: 'putobject', key: object.key, roles, conditions: { overwrite: false } } as const;
      if (isAllowed(call, permission) && (await entries.hasRoom(dirname))) usual.add(object);
    }
  }
  return usual;
}

/** @returns whether all are stored; else none is seen. */
async function store(call: Call, objects: readonly NewObject[]): Promise<boolean> {
  const { services, owner } = call;
  const roles = await roleTags(call);
  const sinceMs = services.clock.nowMs();
  try {
    const nodes = await placeBytes(
      call,
      objects.filter(({ bytes }) => bytes.length > 0),
    );
    const nowMs = services.clock.nowMs();
    const changes = objects.map(({ key, objectId, bytes, md5 }): { entry: ObjectEntry; replaces: undefined } => {
      const maker = { key, owner: owner.account.uuid, roles, headers: {}, nowMs };
      const sizeBytes = bytes.length;
      const stored = { sizeBytes, md5, contentType: defaultContentType, disposition: undefined, objectId };
      return { entry: objectEntry(maker, { ...stored, nodes: sizeBytes === 0 ? [] : nodes }), replaces: undefined };
    });
    assertInTime({ sinceMs, withinMs: services.config.entryWithinMs }, nowMs);
    if (changes.length > 0) await services.entries.putTogether(changes, nowMs);
    return true;
  } catch (error) {
    const level = isConflict(error) ? 'debug' : 'warn';
    services.log[level]({ err: error, req_id: call.requestId, objects: objects.length }, 'not saved together');
    return false;
  }
}

async function placeBytes(call: Call, objects: readonly NewObject[]): Promise<readonly StorageNode[]> {
  if (objects.length === 0) return [];
  const sizeBytes = objects.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const copies = defaultCopies(call.services.config);
  const to = await destination(call, { copies, maxBytes: sizeBytes, neededBytes: sizeBytes });
  return storeTogether(to, objects);
}
