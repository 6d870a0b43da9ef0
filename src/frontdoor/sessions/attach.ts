/**
 * `GET /:login/medusa/attach/:job/:role`: the two ends of an interactive session. Checks in the order of spec 06 §6.5;
 * then the connection belongs to the reflector. A connection on which nothing moves for 30 s is given up.
 */
import type { Duplex } from 'node:stream';
import { httpError } from '../../http/errors.js';
import { acceptanceOf, openWebSocket } from '../../http/websocket/connection.js';
import { assertChangeable, lookUpJob } from '../jobs/lookup.js';
import type { Call, Upgrade } from '../request/call.js';
import type { Role } from './reflector.js';

const maxMessageBytes = 16 * 1024 * 1024;

export async function attachSession(call: Call): Promise<void> {
  const job = await lookUpJob(call, 'mlogin');
  assertChangeable(job, { needsOpenInput: false });
  const { upgrade, request, response, services } = call;
  const key = request.headers['sec-websocket-key'];
  if (upgrade === undefined || typeof key !== 'string') throw httpError('ExpectedUpgrade', call.path);
  const role = roleOf(call.parameters['role'] ?? '');
  const { reflector } = services;
  // Gone while we looked: nobody would tell the reflector, and a half-closed connection would be kept alive by its pulse.
  if (upgrade.socket.destroyed || upgrade.socket.readableEnded) {
    upgrade.socket.destroy();
    return;
  }
  const refusal = reflector.refusal(job.jobId, role);
  if (refusal === 'unknown session') throw httpError('SessionNotFound', job.jobId);
  if (refusal !== null) throw httpError('SessionExists', refusal);
  response.detachSocket(upgrade.socket);
  accept(upgrade, key);
  upgrade.socket.setTimeout(services.config.sessionTimeoutMs, () => upgrade.socket.destroy());
  reflector.attach(job.jobId, role, (handlers) =>
    openWebSocket(upgrade.socket, { head: upgrade.head, end: 'server', maxMessageBytes, handlers }),
  );
  services.log.info({ req_id: call.requestId, jobId: job.jobId, role }, 'session: attached');
}

function roleOf(name: string): Role {
  if (name === 'master' || name === 'slave') return name;
  throw httpError('InvalidParameter', name, 'type');
}

/** Clients want `Connection` to be this one word. */
function accept({ socket }: Upgrade, key: string): void {
  const head = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  writeHead(socket, [...head, `Sec-WebSocket-Accept: ${acceptanceOf(key)}`]);
}

function writeHead(socket: Duplex, lines: readonly string[]): void {
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
}
