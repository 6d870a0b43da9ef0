/** One Ajv for the whole process: schemas are the types (json-schema-to-ts) and the checks. */
import { Ajv, type ErrorObject } from 'ajv';

/** Checks only: a record is never changed by looking at it. */
export const recordAjv = new Ajv({
  allErrors: false,
  strict: true,
  allowUnionTypes: true,
  validateFormats: false,
  verbose: true,
});

/** Fills in defaults: for configuration, which is read once. */
export const configAjv = new Ajv({
  allErrors: true,
  useDefaults: true,
  strict: true,
  strictRequired: false, // alternatives name properties that are described beside them
  allowUnionTypes: true,
  verbose: true,
});

export type { ErrorObject };
