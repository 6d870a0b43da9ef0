/**
 * Public directories as pages, for browsers. Only a request that names `text/html` gets one: the published commands and
 * programs never do, and have the JSON lines. Names are anybody's text: each is escaped where it is shown and encoded
 * where it is linked, and the page may load and run nothing at all.
 */
import type { Entry } from '../metadata/entry.js';
import type { Call } from '../request/call.js';
import type { HeaderValues } from '../request/respond.js';
import type { ListOptions } from './list-options.js';

export const pageHeaders: HeaderValues = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
  'X-Content-Type-Options': 'nosniff',
};

/** Whether the directory is public, so that a browser may come by it. */
export function mayBePage({ target }: Call): boolean {
  return target.components[0] === 'public';
}

export function wantsPage({ request }: Call): boolean {
  const ranges = (request.headers.accept ?? '').split(',');
  return ranges.some((range) => /^\s*text\/html\s*(;(?!.*q=0(\.0*)?\s*$).*)?$/i.test(range));
}

export async function* pageOf(call: Call, entries: AsyncIterable<Entry>, options: ListOptions): AsyncGenerator<string> {
  const { login, components } = call.target;
  const names = [login, ...components];
  const title = `/${names.join('/')}`;
  yield head(title);
  if (components.length > 1) yield row({ name: '..', href: hrefOf(names.slice(0, -1)), more: 'parent directory' });
  let count = 0;
  let last = '';
  for await (const entry of entries) {
    count++;
    last = entry.name;
    yield entryRow(entry, names);
  }
  yield '</tbody></table>';
  if (count === options.limit && count > 1 && options.sort === 'name') yield nextLink(last, options);
  yield '</main></body></html>\n';
}

const style = `:root{color-scheme:light dark;font-family:system-ui,sans-serif}
body{margin:2rem auto;max-width:60rem;padding:0 1rem}h1{font-size:1.25rem;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}th,td{padding:.25rem .5rem;text-align:left}
td:first-child{overflow-wrap:anywhere}td:nth-child(2),th:nth-child(2){text-align:right}
tr:hover,tr:focus-within{background:color-mix(in srgb,currentColor 8%,transparent)}`;

function head(title: string): string {
  const shown = escaped(title);
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${shown}</title><style>${style}</style></head>
<body><main><h1><bdi>${shown}</bdi></h1>
<table><thead><tr><th scope="col">Name</th><th scope="col">Bytes</th><th scope="col">Modified</th></tr></thead><tbody>
`;
}

function entryRow(entry: Entry, directory: readonly string[]): string {
  const { name } = entry;
  const isDirectory = entry.type === 'directory';
  return row({
    name: isDirectory ? `${name}/` : name,
    href: hrefOf([...directory, name]),
    size: isDirectory ? '' : String(entry.contentLength),
    modified: new Date(entry.mtime).toISOString(),
  });
}

interface Row {
  readonly name: string;
  readonly href: string;
  readonly size?: string;
  readonly modified?: string;
  /** What a reader of the screen says of the link. */
  readonly more?: string;
}

/** `<bdi>`: a name may turn the direction of writing, but not that of its neighbours. */
function row({ name, href, size = '', modified = '', more }: Row): string {
  const label = more === undefined ? '' : ` aria-label="${escaped(more)}"`;
  const link = `<a href="${escaped(href)}"${label}><bdi>${escaped(name)}</bdi></a>`;
  return `<tr><td>${link}</td><td>${size}</td><td>${modified}</td></tr>\n`;
}

/** Markers are inclusive: the next page begins with the last name of this one. */
function nextLink(last: string, { limit, descending }: ListOptions): string {
  const query = new URLSearchParams({ limit: String(limit), marker: last });
  if (descending) query.set('sort_order', 'reverse');
  return `<p><a rel="next" href="?${escaped(query.toString())}">More</a></p>`;
}

function hrefOf(names: readonly string[]): string {
  return `/${names.map(encodeURIComponent).join('/')}`;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (sign) => entities[sign] ?? sign);
}
