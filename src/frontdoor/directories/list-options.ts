/** Query parameters of directory listings, checked. */
import type { ParsedUrlQuery } from 'node:querystring';
import { wholeNumber } from '../../common/whole-number.js';

export interface ListOptions {
  readonly limit: number;
  readonly sort: 'name' | 'mtime' | 'none';
  readonly descending: boolean;
  /** Only these; undefined: both. */
  readonly type: 'directory' | 'object' | undefined;
  /** Inclusive: a name, or with sort `mtime` a time in ms. */
  readonly marker: string | number | undefined;
  readonly skipOwnerCheck: boolean;
}

export type ListOptionsVerdict =
  | { readonly ok: true; readonly options: ListOptions }
  | { readonly ok: false; readonly problem: ListProblem };

export type ListProblem =
  | { readonly what: 'limit'; readonly value: string }
  | { readonly what: 'marker'; readonly value: string }
  | { readonly what: 'operators only'; readonly parameters: readonly string[] };

const defaultLimit = 256;
const maxLimit = 1024;

export function parseListOptions(query: ParsedUrlQuery, isOperator: boolean): ListOptionsVerdict {
  const get = (name: string) => single(query[name]);
  const sort = get('sort') === 'mtime' ? 'mtime' : get('sort') === 'none' ? 'none' : 'name';
  const skipOwnerCheck = get('skip_owner_check') === 'true';
  const forbidden = [...(sort === 'none' ? ['sort=none'] : []), ...(skipOwnerCheck ? ['skip_owner_check=true'] : [])];
  if (forbidden.length > 0 && !isOperator)
    return { ok: false, problem: { what: 'operators only', parameters: forbidden } };

  const limitText = get('limit');
  const limit = limitText === undefined ? defaultLimit : wholeNumber(limitText);
  if (!(limit >= 1 && limit <= maxLimit)) {
    return { ok: false, problem: { what: 'limit', value: limitText ?? '' } };
  }
  const markerText = get('marker');
  const marker = markerText === undefined || sort !== 'mtime' ? markerText : Date.parse(markerText);
  if (Number.isNaN(marker)) return { ok: false, problem: { what: 'marker', value: markerText ?? '' } };

  const reverse = get('sort_order') === 'reverse';
  const descending = sort === 'mtime' ? !reverse : reverse; // newest first is the forward order of times
  return { ok: true, options: { limit, sort, descending, type: typeFilter(query), marker, skipOwnerCheck } };
}

function typeFilter(query: ParsedUrlQuery): ListOptions['type'] {
  const directories = query['dir'] !== undefined || query['directory'] !== undefined;
  const objects = query['obj'] !== undefined || query['object'] !== undefined;
  if (directories === objects) return undefined;
  return directories ? 'directory' : 'object';
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
