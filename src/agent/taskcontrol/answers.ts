/** Requests and answers of the task API. Error bodies are `{code, message}`. Source: spec 05 §7.1. */
import type http from 'node:http';
import semver from 'semver';

export class ControlError extends Error {
  override readonly name = 'ControlError';
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export const controlErrors = {
  noTask: () => new ControlError(409, 'ConflictError', 'invalid zone state'),
  argument: (message: string) => new ControlError(409, 'InvalidArgument', message),
  shuttingDown: () => new ControlError(410, 'GoneError', 'zone shutting down'),
  injected: () => new ControlError(500, 'InternalServerError', 'injected failure'),
  content: (message: string) => new ControlError(400, 'InvalidContent', message),
  method: () => new ControlError(405, 'BadMethod', 'method is not allowed'),
  accept: (wanted: string) =>
    new ControlError(406, 'NotAcceptable', `${wanted} is not acceptable: application/json is`),
  version: (wanted: string) => new ControlError(400, 'InvalidVersion', `version ${wanted} is not supported: 1.0.0 is`),
  tooLarge: () => new ControlError(413, 'RequestEntityTooLarge', 'request body is too large'),
} as const;

export function answerJson(response: http.ServerResponse, status: number, body: object): void {
  if (response.headersSent || response.destroyed) return;
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

export function answerEmpty(response: http.ServerResponse, status: number): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, status === 204 ? {} : { 'content-length': 0 });
  response.end();
}

export function answerError(response: http.ServerResponse, error: unknown): void {
  if (error instanceof ControlError) answerJson(response, error.status, { code: error.code, message: error.message });
  else answerJson(response, 500, { message: error instanceof Error ? error.message : String(error) });
}

const acceptable = ['application/json', 'application/*', 'text/plain', 'text/*', '*/*'];

/** Answers are JSON of version 1.0.0: who wants something else is told so before anything is done. */
export function checkAccepted(headers: http.IncomingHttpHeaders): void {
  const { accept = '*/*', 'accept-version': version } = headers;
  const wanted = accept.split(',').map((range) => range.split(';')[0]?.trim().toLowerCase() ?? '');
  if (!wanted.some((range) => range === '' || acceptable.includes(range))) throw controlErrors.accept(accept);
  if (typeof version === 'string' && version !== '*' && !semver.satisfies('1.0.0', version)) {
    throw controlErrors.version(version);
  }
}

/** A report holds stdout and stderr, each 64 KiB in base64 at most. */
const maxBodyBytes = 512 * 1024;

/** A JSON object or a form; nothing at all is `{}`. */
export async function readBody(request: http.IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodyBytes) throw controlErrors.tooLarge();
    chunks.push(chunk);
  }
  if (size === 0) return {};
  const text = Buffer.concat(chunks).toString('utf8');
  if (request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true) {
    return Object.fromEntries(new URLSearchParams(text));
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw controlErrors.content(`invalid JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw controlErrors.content('not an object');
  return value as Readonly<Record<string, unknown>>;
}
