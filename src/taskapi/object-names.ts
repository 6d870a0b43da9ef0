/**
 * Names of objects: on the wire each component is percent-encoded, in a zone's file system it must fit. Linux limits a
 * component to 255 and a path to 1024 *bytes*, so bytes are counted, and cuts are made between characters.
 */

/** Encodes each component; the slashes stay. */
export function encodeObjectName(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/');
}

/** @param path of a URL, without its query. @throws URIError when an escape is malformed. */
export function decodeObjectName(path: string): string {
  return path.split('/').map(decodeURIComponent).join('/');
}

/** What names the objects of a task: its record, and the login of the job. */
interface TaskIdentity {
  readonly login: string;
  readonly jobId: string;
  readonly phaseNum: number;
  readonly taskId: string;
  readonly isReduce: boolean;
  readonly input?: string | undefined;
  /** The job's own input that the task goes back to, when it is known. */
  readonly p0input?: string | undefined;
}

/** Names of the objects that are made for a task, unless its command names others. Source: spec 06 §1.5. */
export function taskObjectNames({ login, jobId, phaseNum, taskId, isReduce, input = '', p0input }: TaskIdentity) {
  const stor = `/${login}/jobs/${jobId}/stor`;
  const object = isReduce ? 'reduce' : (p0input ?? (input.startsWith(stor) ? input.slice(stor.length) : input));
  const base = `${stor}/${object}.${phaseNum}.`.replace(/\/{2,}/g, '/');
  return {
    taskOutputKey: `${base}${taskId}`,
    taskErrorKey: `${base}err.${taskId}`,
    taskOutputBase: base,
    taskCoreBase: `${stor}/cores/${phaseNum}/`,
  };
}

const maxComponentBytes = 255;
const maxPathBytes = 1024;
const ellipsis = '_...';

/**
 * The path, below a zone's `/manta`, at which an object appears: its name, shortened only if it does not fit. Shortening
 * twice changes nothing more. Source: spec 05 §6.3.
 * @throws Error when `name` does not start with a slash.
 */
export function abbreviatePath(name: string): { readonly path: string; readonly shortened: boolean } {
  if (!name.startsWith('/')) throw new Error('malformed path: no leading "/"');
  const parts = name.slice(1).split('/').map(abbreviateComponent);
  const candidates = [parts];
  if (parts.length > 5) candidates.push([...parts.slice(0, 3), ellipsis, ...parts.slice(-2)]);
  const fitting = candidates.map(join).find((path) => Buffer.byteLength(path) <= maxPathBytes);
  const path = fitting ?? join([...parts.slice(0, 2), ellipsis, ...parts.slice(-1)]);
  return { path, shortened: path !== name };
}

function join(parts: readonly string[]): string {
  return `/${parts.join('/')}`;
}

function abbreviateComponent(component: string): string {
  if (Buffer.byteLength(component) <= maxComponentBytes) return component;
  let kept = '';
  let bytes = 0;
  for (const character of component) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxComponentBytes - ellipsis.length) break;
    kept += character;
  }
  return kept + ellipsis;
}
