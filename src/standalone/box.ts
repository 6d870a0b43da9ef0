/** The identity of a one-box: ids made at the first start and kept, since records and paths on disk name them. */
import fs from 'node:fs';
import os from 'node:os';
import uuid from 'node-uuid';
import VError from 'verror';
import { type Layout, writeWhole } from './layout.js';

/** Of what `up` writes; an older program must not touch a newer directory. */
const formatVersion = 1;

export interface Box {
  readonly formatVersion: number;
  /** Short host name at the first start; also the name of the datacenter. */
  readonly name: string;
  readonly supervisorId: string;
  readonly serverId: string;
  readonly computeId: string;
  readonly storage: readonly { readonly storageId: string; readonly zoneName: string }[];
  readonly zones: readonly string[];
}

/**
 * Reads the identity, or makes it. @param zoneCount wanted; undefined keeps what is there, or takes the default.
 * @throws VError `BoxError` for a directory of a newer version or a damaged file.
 */
export function loadBox(layout: Layout, zoneCount: number | undefined): Box {
  const known = fs.existsSync(layout.box) ? readBox(layout.box) : newBox();
  const count = zoneCount ?? (known.zones.length > 0 ? known.zones.length : Math.max(4, 2 * os.cpus().length));
  const zones = Array.from({ length: count }, (_, index) => known.zones[index] ?? uuid.v4());
  const box = { ...known, zones };
  writeWhole(layout.box, `${JSON.stringify(box, null, 2)}\n`);
  return box;
}

function readBox(file: string): Box {
  let box: Box;
  try {
    box = JSON.parse(fs.readFileSync(file, 'utf8')) as Box;
  } catch (error) {
    throw new VError({ name: 'BoxError', cause: error as Error }, '"%s" cannot be read', file);
  }
  if (box.formatVersion > formatVersion) {
    const text = '"%s" was written by a newer Marlin (format %d, this one knows %d): use that version';
    throw new VError({ name: 'BoxError' }, text, file, box.formatVersion, formatVersion);
  }
  return box;
}

function newBox(): Box {
  const name = (os.hostname().split('.')[0] ?? '').replaceAll(/[^A-Za-z0-9-]/g, '') || 'box';
  return {
    formatVersion,
    name,
    supervisorId: uuid.v4(),
    serverId: uuid.v4(),
    computeId: `1.cn.${name}`,
    storage: [1, 2].map((index) => ({ storageId: `${index}.stor.${name}`, zoneName: uuid.v4() })),
    zones: [],
  };
}
