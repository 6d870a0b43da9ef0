/** Checks of records as they are read: an invalid one is logged and left alone, it must not stop the others. */

import { recordAjv } from '../common/schema.js';

/** Narrows, and says what is wrong. */
export interface RecordCheck<Value> {
  (value: unknown): value is Value;
  /** Why `value` is refused, as `property "task.phaseNum": must be integer`; null when it is valid. */
  problem(value: unknown): string | null;
}

/** @param name of the record, for messages. @typeParam Value what `schema` stands for. */
export function checkOf<Value>(name: string, schema: object): RecordCheck<Value> {
  const validate = recordAjv.compile(schema);
  const check = (value: unknown): value is Value => validate(value) === true;
  const problem = (value: unknown): string | null => {
    if (validate(value)) return null;
    const first = validate.errors?.[0];
    const missing = first?.keyword === 'required' ? `.${String(first.params['missingProperty'])}` : '';
    return `property "${name}${(first?.instancePath ?? '').replaceAll('/', '.')}${missing}": ${first?.message ?? 'invalid'}`;
  };
  return Object.assign(check, { problem });
}
