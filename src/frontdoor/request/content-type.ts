/** Content types of requests: `application/json; type=directory` is what makes a PUT a mkdir, so parameters are read. */
import type { ContentType } from './call.js';

/** A type without a slash is taken for a file name's extension. */
const byExtension: Readonly<Record<string, string>> = {
  bin: 'application/octet-stream',
  css: 'text/css',
  csv: 'text/csv',
  gif: 'image/gif',
  gz: 'application/gzip',
  htm: 'text/html',
  html: 'text/html',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  js: 'application/javascript',
  json: 'application/json',
  pdf: 'application/pdf',
  png: 'image/png',
  svg: 'image/svg+xml',
  tgz: 'application/gzip',
  text: 'text/plain',
  txt: 'text/plain',
  xml: 'application/xml',
  zip: 'application/zip',
};

export const defaultContentType = 'application/octet-stream';

export function parseContentType(header: string | undefined): ContentType | undefined {
  if (header === undefined || header.trim() === '') return undefined;
  const text = header.includes('/') ? header : (byExtension[header.trim().toLowerCase()] ?? defaultContentType);
  const [media = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const kind = parameters
    .map((parameter) => parameter.split('=').map((side) => side.trim()))
    .find(([name]) => name === 'type')?.[1];
  return { text, media, kind: kind?.replace(/^"(.*)"$/, '$1') };
}

/** What a listing of a directory is, and how clients tell a directory from an object. */
export const directoryContentType = 'application/x-json-stream; type=directory';

/** Whether a PUT of this type makes a directory. */
export function isDirectoryType(type: ContentType | undefined): boolean {
  const json = type?.media === 'application/json' || type?.media === 'application/x-json-stream';
  return json && type?.kind === 'directory';
}

/** Whether a PUT of this type makes a link. */
export function isLinkType(type: ContentType | undefined): boolean {
  return type?.media === 'application/json' && type.kind === 'link';
}
