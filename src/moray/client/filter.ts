/**
 * Search filters, built rather than spliced: whatever a value contains, it stays a value. The grammar is Moray's dialect
 * of LDAP filters: no white space between components, `( ) * \ =` escaped by a backslash.
 */
import assert from 'node:assert/strict';

type Scalar = string | number | boolean;

/** The attribute equals the value. */
export function eq(attribute: string, value: Scalar): string {
  return `(${named(attribute)}=${escaped(value)})`;
}

/** Strings compare by bytes, numbers by value. */
export function ge(attribute: string, value: Scalar): string {
  return `(${named(attribute)}>=${escaped(value)})`;
}

export function le(attribute: string, value: Scalar): string {
  return `(${named(attribute)}<=${escaped(value)})`;
}

export function present(attribute: string): string {
  return `(${named(attribute)}=*)`;
}

/** The record does not have the attribute. */
export function absent(attribute: string): string {
  return not(present(attribute));
}

/** For a scalar index this includes records without the attribute. */
export function not(filter: string): string {
  return `(!${filter})`;
}

/** @throws AssertionError without any filter: "all of nothing" cannot be said. */
export function and(...filters: readonly string[]): string {
  return joined('&', filters);
}

export function or(...filters: readonly string[]): string {
  return joined('|', filters);
}

function joined(operator: '&' | '|', filters: readonly string[]): string {
  const [first, second] = filters;
  assert(first !== undefined, `a filter with "${operator}" needs something to join`);
  return second === undefined ? first : `(${operator}${filters.join('')})`;
}

function named(attribute: string): string {
  assert(/^[-_a-zA-Z0-9]+$/.test(attribute), `"${attribute}" cannot be an attribute of a filter`);
  return attribute;
}

function escaped(value: Scalar): string {
  return String(value).replace(/[()*\\=]/g, '\\$&');
}
