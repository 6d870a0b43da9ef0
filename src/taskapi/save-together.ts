/**
 * `POST /:login/jobs/:job/live/objects`: saves small objects of a job's tasks, many in one request. To find its directory,
 * to place it and to write its entry costs an object as much as ten that are saved together.
 *
 * It is a short cut, no other way: what is not like the usual case (something has the name already, the directory is
 * missing or full, the caller may not write there, no storage node takes it) is left alone, and the caller PUTs it, which
 * says what is wrong. Nothing is lost when the answer is: a PUT of the same object replaces it.
 */

/** Limits of one request. */
export const maxObjectsTogether = 64;
/** Of all objects, before they are encoded. */
export const maxBytesTogether = 1024 * 1024;

export interface SaveTogether {
  readonly objects: readonly {
    /** Decoded, below `/:login/jobs/:job/stor/`. */
    readonly name: string;
    /** base64 */
    readonly body: string;
  }[];
}

export interface SavedTogether {
  /** For each object, in the order of the request, whether it is stored. */
  readonly saved: readonly boolean[];
}

export function saveTogetherPath(login: string, jobId: string): string {
  return `/${encodeURIComponent(login)}/jobs/${jobId}/live/objects`;
}
