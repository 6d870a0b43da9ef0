/** `Content-Disposition` (RFC 6266), brought into one form. */
import { httpError } from '../../http/errors.js';

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const typePattern = new RegExp(`^\\s*(${token})\\s*`);
const parameterPattern = new RegExp(`^;\\s*(${token})\\s*=\\s*(${token}|"(?:[^"\\\\]|\\\\.)*")\\s*`);

/** @throws VError `BadRequestError` when it is malformed. */
export function canonicalDisposition(header: string): string {
  const type = typePattern.exec(header);
  if (type === null) throw httpError('BadRequestError', '');
  const parts = [(type[1] ?? '').toLowerCase()];
  let rest = header.slice(type[0].length);
  while (rest !== '') {
    const parameter = parameterPattern.exec(rest);
    if (parameter === null) throw httpError('BadRequestError', '');
    const [whole, name = '', value = ''] = parameter;
    parts.push(`${name.toLowerCase()}=${value}`);
    rest = rest.slice(whole.length);
  }
  return parts.join('; ');
}
