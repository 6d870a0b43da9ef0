/**
 * Multipart uploads: theory of operation. An upload is a directory, `/LOGIN/uploads/X/ID` with X the first digit of the
 * id; its parts are ordinary objects in it, named by their numbers. What the upload is to become, and how far it is,
 * stands in the record of the directory itself, so one conditional write decides between a commit, another commit and an
 * abort that arrive at the same time:
 *
 *   created --commit--> done (committed)      the same commit again, after a lost answer, is answered as before
 *           --abort---> done (aborted)
 *
 * A commit copies the bytes of the parts into a new object, then writes the object's entry and the new state of the
 * upload in one batch: there is no moment at which one is without the other. Parts go afterwards; the directory stays for
 * a day, for those who ask what has become of it. Source: spec 07 §3.7.
 */
import type { StoredHeaders } from '../objects/stored-headers.js';

export interface UploadRecord {
  readonly id: string;
  readonly state: 'created' | 'done';
  /** When it is done. */
  readonly result?: 'committed' | 'aborted';
  /** Path of the object to be, as the client gave it. */
  readonly targetObject: string;
  /** As the client gave them, names in lower case. */
  readonly headers: StoredHeaders;
  readonly numCopies: number;
  readonly creationTimeMs: number;
  /** UUIDs of role tags of the object to be. */
  readonly roles: readonly string[];
  /** Of a commit: which parts it was made of. */
  readonly partsMD5Summary?: string;
  /** Of a commit: base64. */
  readonly contentMD5?: string;
}
