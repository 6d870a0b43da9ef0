/**
 * Names: theory of operation. A path arrives percent-encoded, as bytes; inside, an entry is known by its key: the
 * decoded path with the login replaced by the account's UUID, `/930896af-…/stor/a/b.txt`. Decoding happens once, here,
 * and everything else (routing, roots, parents, permissions) looks at the decoded components, so that no spelling of a
 * path gets around a rule that another spelling obeys. `.` and `..` are names like any other: keys are never resolved
 * against a file system. Empty components are dropped, also those that an encoded slash makes.
 */

/** Names at the first level of an account. They exist without a record. */
export const rootNames = ['jobs', 'public', 'reports', 'stor', 'uploads'] as const;

/** What kind of place a path is, seen from its components alone. */
export type PathKind =
  | 'account root' // /:login
  | 'root' // /:login/stor
  | 'job stor' // /:login/jobs/ID/stor, which always exists but may be deleted
  | 'entry' // anything below a root
  | 'nowhere'; // /:login/other

export interface ResourcePath {
  /** As received, with repeated and trailing slashes removed: what messages name. */
  readonly path: string;
  /** Decoded first component; empty for `/`. */
  readonly login: string;
  /** Decoded components after the login. */
  readonly components: readonly string[];
  readonly kind: PathKind;
}

/** Repeated slashes become one, a trailing one goes. */
export function cleanPath(raw: string): string {
  const clean = raw.includes('//') ? raw.replace(/\/{2,}/g, '/') : raw;
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean;
}

/** @returns null when an escape is malformed, or the bytes are no UTF-8 text, or contain a zero byte. */
export function parsePath(path: string): ResourcePath | null {
  const decoded = decodePath(path);
  if (decoded === null) return null;
  const [login = '', ...components] = decoded.split('/').filter((component) => component !== '');
  return { path, login, components, kind: kindOf(components) };
}

/**
 * The text of a percent-encoded path. Node gives request targets as one character per byte, so bytes that were sent
 * without encoding are decoded here too. @returns null when it is malformed.
 */
export function decodePath(path: string): string | null {
  if (/^[!-$&-~ ]*$/.test(path)) return path; // plain ASCII without an escape: nearly always
  if (/%(?![0-9A-Fa-f]{2})/.test(path) || /%00|\0/.test(path)) return null;
  const bytes = path.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  try {
    return utf8.decode(Buffer.from(bytes, 'latin1'));
  } catch {
    return null; // not UTF-8: the caller reports it, and nothing else can go wrong here
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function kindOf(components: readonly string[]): PathKind {
  const [root, , third] = components;
  if (root === undefined) return 'account root';
  if (!isRootName(root)) return 'nowhere';
  if (components.length === 1) return 'root';
  if (root === 'jobs' && components.length === 3 && third === 'stor') return 'job stor';
  return 'entry';
}

/** Whether the path is that of multipart uploads, or below. */
export function isUploadPath({ components: [root] }: ResourcePath): boolean {
  return root === 'uploads';
}

function isRootName(name: string): boolean {
  return rootNames.some((root) => root === name);
}

export function keyOf(accountUuid: string, components: readonly string[]): string {
  return components.length === 0 ? `/${accountUuid}` : `/${accountUuid}/${components.join('/')}`;
}

/** Key of the directory that holds this key. */
export function parentKey(key: string): string {
  return key.slice(0, key.lastIndexOf('/')) || '/';
}

/** The path (not the key) of the directory that holds this path. */
export function parentPath(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

/** What messages call the last component. */
export function lastName(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1);
}
