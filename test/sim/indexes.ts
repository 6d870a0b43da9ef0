/**
 * Indexes of the store: those that the configuration of a bucket asks for as access paths, as the real server keeps them,
 * so that a search costs what it costs there: the rows that its best access path leads to. Each is made when a search
 * first has a use for it.
 *
 *   filter --parts that must hold--> access paths whose fields it gives, and whose conditions it implies
 *          --the one with the fewest rows--> rows in the order of `_id`, to be looked at one by one
 */
import type { Encoded } from '../../src/moray/server/buckets/index-types.js';
import type { Filter } from '../../src/moray/server/filters/parse.js';
import type { AccessPath } from '../../src/records/bucket-config.js';

export interface Indexed {
  readonly id: number;
  readonly columns: Readonly<Record<string, Encoded | null>>;
}

export interface SearchPlan<Row extends Indexed> {
  /** Rows among which are all that match, in the order of `_id`. */
  candidates(): Iterable<Row>;
}

export interface Indexes<Row extends Indexed> {
  /** How to search for the same again and again. */
  plan(filter: Filter): SearchPlan<Row>;
  changed(before: Row | undefined, after: Row | null): void;
}

interface Index<Row extends Indexed> {
  readonly path: AccessPath;
  readonly entries: Map<string, SortedRows<Row>>;
}

/** More keys than these are not looked up one by one. */
const keyLimit = 1_000;

export function createIndexes<Row extends Indexed>(
  paths: readonly AccessPath[],
  all: () => Iterable<Row>,
): Indexes<Row> {
  const every: AccessPath = { fields: [] };
  const usable = [...paths.flatMap(withPrefixes), every];
  const made = new Map<AccessPath, Index<Row>>();

  function make(path: AccessPath): Index<Row> {
    const index: Index<Row> = { path, entries: new Map() };
    for (const row of all()) add(index, row);
    made.set(path, index);
    return index;
  }

  return {
    plan(filter) {
      const asked = partsOf(filter);
      const choices = usable.flatMap((path) => {
        const keys = keysFor(path, asked);
        return keys === null ? [] : [{ path, keys }];
      });
      const indexed = choices.filter(({ path }) => path !== every);
      const ways = indexed.length > 0 ? indexed : choices;
      return {
        candidates() {
          let best: { readonly lists: readonly SortedRows<Row>[]; readonly count: number } | null = null;
          for (const { path, keys } of ways) {
            const { entries } = made.get(path) ?? make(path);
            const lists = keys.flatMap((key) => entries.get(key) ?? []);
            const count = lists.reduce((sum, list) => sum + list.size, 0);
            if (best === null || count < best.count) best = { lists, count };
          }
          const [only, ...more] = best?.lists ?? [];
          if (only === undefined) return [];
          if (more.length === 0) return only.from(asked.leastId);
          return (best?.lists ?? []).flatMap((list) => [...list.from(asked.leastId)]).sort((a, b) => a.id - b.id);
        },
      };
    },
    changed(before, after) {
      for (const index of made.values()) {
        if (before !== undefined) take(index, before);
        if (after !== null) add(index, after);
      }
    },
  };
}

/** An index also serves searches that give its first fields only. */
function withPrefixes({ fields, ...conditions }: AccessPath): AccessPath[] {
  return fields.map((_, length) => ({ fields: fields.slice(0, length + 1), ...conditions }));
}

/** Stands for no value in a key: rows without it are in the index, too. */
const none = '\u0001';

function keyOf({ fields, present = [], absent = [] }: AccessPath, { columns }: Indexed): string | null {
  const has = (field: string) => (columns[field] ?? null) !== null;
  if (!present.every(has) || absent.some(has)) return null;
  return fields.map((field) => columns[field] ?? none).join('\0');
}

function add<Row extends Indexed>({ path, entries }: Index<Row>, row: Row): void {
  const key = keyOf(path, row);
  if (key === null) return;
  const list = entries.get(key) ?? new SortedRows<Row>();
  list.add(row);
  if (list.size === 1) entries.set(key, list);
}

function take<Row extends Indexed>({ path, entries }: Index<Row>, row: Row): void {
  const key = keyOf(path, row);
  if (key === null) return;
  const list = entries.get(key);
  list?.delete(row.id);
  if (list?.size === 0) entries.delete(key);
}

interface Asked {
  /** Values of which an attribute must have one. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly present: ReadonlySet<string>;
  readonly absent: ReadonlySet<string>;
  readonly leastId: number;
}

function partsOf(filter: Filter): Asked {
  const values = new Map<string, readonly string[]>();
  const present = new Set<string>();
  const absent = new Set<string>();
  let leastId = 0;
  const visit = (part: Filter): void => {
    if (part.op === 'and') part.filters.forEach(visit);
    else if (part.op === 'present') present.add(part.attribute);
    else if (part.op === 'not' && part.filter.op === 'present') absent.add(part.filter.attribute);
    else if (part.op === 'ge' && part.attribute === '_id') leastId = Math.max(leastId, Number(part.value));
    else if (part.op === 'eq') values.set(part.attribute, [part.value]);
    else if (part.op === 'or') {
      const [attribute] = part.filters.map((one) => (one.op === 'eq' ? one.attribute : ''));
      const given = part.filters.flatMap((one) => (one.op === 'eq' && one.attribute === attribute ? [one.value] : []));
      if (attribute !== undefined && given.length === part.filters.length && !values.has(attribute))
        values.set(attribute, [...new Set(given)]);
    }
  };
  visit(filter);
  for (const attribute of values.keys()) present.add(attribute);
  return { values, present, absent, leastId };
}

/** null: the search cannot use the access path. */
function keysFor({ fields, present = [], absent = [] }: AccessPath, asked: Asked): string[] | null {
  if (!present.every((field) => asked.present.has(field)) || !absent.every((field) => asked.absent.has(field)))
    return null;
  let keys: string[][] = [[]];
  for (const field of fields) {
    const values = asked.absent.has(field) ? [none] : asked.values.get(field);
    if (values === undefined || keys.length * values.length > keyLimit) return null;
    keys = keys.flatMap((key) => values.map((value) => [...key, value]));
  }
  return keys.map((key) => key.join('\0'));
}

const chunkLimit = 512;

/** In the order of `_id`: short lists one after another, so that one more costs the same among many. */
class SortedRows<Row extends Indexed> {
  size = 0;
  private readonly chunks: Row[][] = [];

  add(row: Row): void {
    this.size++;
    const last = this.chunks.at(-1);
    const at = last === undefined || (last.at(-1)?.id ?? 0) < row.id ? this.chunks.length - 1 : this.chunkOf(row.id);
    const chunk = this.chunks[at];
    if (chunk === undefined) {
      this.chunks.push([row]);
      return;
    }
    chunk.splice(placeOf(chunk, row.id), 0, row);
    if (chunk.length > chunkLimit) this.chunks.splice(at + 1, 0, chunk.splice(chunkLimit / 2));
  }

  delete(id: number): void {
    const at = this.chunkOf(id);
    const chunk = this.chunks[at];
    const place = chunk === undefined ? -1 : placeOf(chunk, id);
    if (chunk?.[place]?.id !== id) return;
    this.size--;
    chunk.splice(place, 1);
    if (chunk.length === 0) this.chunks.splice(at, 1);
  }

  /** Nothing may change meanwhile. */
  *from(id: number): IterableIterator<Row> {
    for (let at = Math.max(0, this.chunkOf(id)); at < this.chunks.length; at++)
      for (const row of this.chunks[at] ?? []) if (row.id >= id) yield row;
  }

  /** The last chunk that begins at `id` or before it; the first when none does. */
  private chunkOf(id: number): number {
    let [low, high] = [0, this.chunks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.chunks[middle]?.[0]?.id ?? 0) <= id) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

function placeOf(chunk: readonly Indexed[], id: number): number {
  let [low, high] = [0, chunk.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((chunk[middle]?.id ?? 0) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
