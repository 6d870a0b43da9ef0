/** Parts, state and abort of an upload. */
import { httpError } from '../../http/errors.js';
import { isConflict } from '../metadata/entry-store.js';
import { putObject } from '../objects/put.js';
import type { Call } from '../request/call.js';
import { respondEmpty, respondJson } from '../request/respond.js';
import { removeParts } from './sweep.js';
import { assertOpen, loadUpload, partsDirectory } from './upload.js';

/** `PUT /:login/uploads/X/ID/N`: a part is an object like any other. */
export async function putPart(call: Call): Promise<void> {
  const { record } = await loadUpload(call);
  assertOpen(record);
  const { part = '' } = call.parameters;
  if (!/^(0|[1-9][0-9]{0,3})$/.test(part)) {
    throw httpError('MultipartUploadInvalidArgument', `upload ${record.id}: "${part}" is not a valid part number`);
  }
  await putObject(call);
}

export async function getUploadState(call: Call): Promise<void> {
  const { record } = await loadUpload(call);
  const { roles: _roles, ...shown } = record;
  respondJson(call.response, 200, { ...shown, partsDirectory: partsDirectory(call, record.id) });
}

/** Aborting again changes nothing. */
export async function abortUpload(call: Call): Promise<void> {
  call.request.resume();
  const { stored, record } = await loadUpload(call);
  if (record.result !== 'aborted') {
    assertOpen(record);
    const upload = { ...record, state: 'done', result: 'aborted' } as const;
    const nowMs = call.services.clock.nowMs();
    try {
      await call.services.entries.put({ ...stored.entry, upload, mtime: nowMs }, stored, nowMs);
    } catch (error) {
      if (!isConflict(error)) throw error;
      return abortUpload(call); // committed or aborted meanwhile: the record says which
    }
  }
  respondEmpty(call.response, 204);
  await removeParts(call, stored.entry.key);
}
