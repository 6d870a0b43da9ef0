/**
 * How many connections are open: theory of operation. A connection costs us a descriptor and some memory before anybody
 * has said who he is, so it is counted against the address that it comes from, and all of them together.
 *
 *   opened --room, or made--> idle <--first request begins, last one ends--> busy     both --operator or job--> trusted
 *          --none-----------> turned away: what it asks first is answered with 503, and it is closed; asks it nothing,
 *                             it is closed soon
 *
 * Where a limit is reached, the connection that has been idle longest makes room, as in nginx: clients keep connections
 * for later and forget them, and one that holds connections open to keep others out, with no request or half of one,
 * holds none. Only when all are busy is the new one turned away. It is answered, not just closed, so that its sender can
 * tell a limit from a front door that is down; and answered only when it asks, because clients take what comes before
 * their request for a broken connection. Those that wait to be told so are few, the others are closed at once.
 *
 * Operators and jobs have no limit here either. That is known when a request has come: from then on a connection counts
 * only in the sum, and is never closed for being idle. So agents keep what they reuse, whatever else comes from their
 * machine. Behind a balancer every connection is the balancer's: then only the sum is limited.
 */
import type http from 'node:http';
import type { Socket } from 'node:net';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Clock } from '../../common/clock.js';
import type { FrontdoorConfig } from '../config.js';
import { clientAddress } from './client-address.js';
import { type CountRefusal, type LimitName, throttledError } from './refusal.js';

export interface Connections {
  /** To be called for each; again for one that is known changes nothing. */
  opened(socket: Socket): void;
  /** A request begins on its connection. @throws VError `ThrottledError` on one that was turned away. */
  begun(request: http.IncomingMessage, response: http.ServerResponse): void;
  /** An operator or a job speaks here. */
  trust(socket: Socket): void;
  /** Whether nothing is under way on it and nobody would miss it. */
  isDispensable(socket: Socket): boolean;
  snapshot(): ConnectionCounts;
}

export interface ConnectionCounts {
  readonly open: number;
  readonly idle: number;
  /** Those that count against an address. */
  readonly byAddress: Readonly<Record<string, number>>;
}

interface Connection {
  readonly socket: Socket;
  /** undefined once it is trusted. */
  origin: Origin | undefined;
  requests: number;
  requestsUnderWay: number;
  idleSinceMs: number;
}

/** What comes from one address. */
interface Origin {
  readonly address: string;
  open: number;
  readonly idle: Set<Connection>;
}

/** Why a connection is one too many. */
interface Refusal {
  readonly limit: LimitName;
  readonly why: string;
}

export interface ConnectionParts {
  readonly config: FrontdoorConfig['limits'];
  readonly clock: Clock;
  readonly countRefusal: CountRefusal;
  readonly registry: Registry;
}

/** What was opened just now is not idle yet: its request may be here, unread. */
const restMs = 1_000;
const retryMs = 1_000;
/** Of a connection that was turned away: how long it may take to ask, and how many may. */
const refusalMs = 2_000;
const maxTurnedAway = 128;

export function createConnections({ config, clock, countRefusal, registry }: ConnectionParts): Connections {
  const { requestsPerConnection } = config;
  const perAddress = config.behindBalancer ? 0 : config.connectionsPerAddress;
  const known = new Map<Socket, Connection>();
  /** Idle longest first, here and in each origin. */
  const idle = new Set<Connection>();
  const origins = new Map<string, Origin>();
  const turnedAway = new Map<Socket, Refusal>();
  const closedForRoom = new Counter({
    name: 'marlin_frontdoor_connections_closed_for_room_total',
    help: 'idle connections closed to make room for others',
    registers: [registry],
  });
  new Gauge({
    name: 'marlin_frontdoor_connections',
    help: 'open connections by state',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      this.set({ state: 'idle' }, idle.size);
      this.set({ state: 'in use' }, known.size - idle.size);
    },
  });

  function originOf(address: string): Origin {
    const origin = origins.get(address) ?? { address, open: 0, idle: new Set() };
    origins.set(address, origin);
    return origin;
  }

  function rest(connection: Connection): void {
    if (connection.origin === undefined) return;
    connection.idleSinceMs = clock.nowMs();
    idle.add(connection);
    connection.origin.idle.add(connection);
  }

  function wake(connection: Connection): void {
    idle.delete(connection);
    connection.origin?.idle.delete(connection);
  }

  function leaveOrigin(connection: Connection): void {
    wake(connection);
    const { origin } = connection;
    connection.origin = undefined;
    if (origin !== undefined && --origin.open === 0) origins.delete(origin.address);
  }

  function forget(connection: Connection): void {
    if (known.delete(connection.socket)) leaveOrigin(connection);
  }

  /** @returns whether there is room now. */
  function makeRoom(candidates: ReadonlySet<Connection>): boolean {
    const [longest] = candidates;
    if (longest === undefined || clock.nowMs() - longest.idleSinceMs < restMs) return false;
    forget(longest);
    longest.socket.destroy();
    closedForRoom.inc();
    return true;
  }

  /** @returns undefined when there is room. */
  function refusalOf(address: string): Refusal | undefined {
    const { connections } = config;
    const origin = origins.get(address);
    if (perAddress > 0 && origin !== undefined && origin.open >= perAddress && !makeRoom(origin.idle)) {
      return { limit: 'connectionsPerAddress', why: `${address} may have ${perAddress} connections open` };
    }
    if (connections > 0 && known.size >= connections && !makeRoom(idle)) {
      return { limit: 'connections', why: `this server may have ${connections} connections open` };
    }
    return undefined;
  }

  function turnAway(socket: Socket, refusal: Refusal): void {
    countRefusal(refusal.limit);
    if (turnedAway.size >= maxTurnedAway) {
      socket.destroy();
      return;
    }
    turnedAway.set(socket, refusal);
    const cancel = clock.after(refusalMs, () => socket.destroy());
    socket.once('close', () => {
      cancel();
      turnedAway.delete(socket);
    });
  }

  return {
    opened(socket) {
      if (known.has(socket) || turnedAway.has(socket)) return;
      const address = clientAddress({ headers: {}, socket }, false);
      const refusal = refusalOf(address);
      if (refusal !== undefined) {
        turnAway(socket, refusal);
        return;
      }
      const origin = originOf(address);
      origin.open++;
      const connection: Connection = { socket, origin, requests: 0, requestsUnderWay: 0, idleSinceMs: 0 };
      known.set(socket, connection);
      rest(connection);
      socket.once('close', () => forget(connection));
    },
    begun({ socket }, response) {
      const refusal = turnedAway.get(socket);
      if (refusal !== undefined) throw throttledError(refusal.why, retryMs, { Connection: 'close' });
      const connection = known.get(socket);
      if (connection === undefined) return;
      connection.requests++;
      // Node's own limit says that the connection will be closed, and leaves that to the client.
      const isLast = requestsPerConnection > 0 && connection.requests >= requestsPerConnection;
      if (isLast && connection.origin !== undefined) response.shouldKeepAlive = false;
      connection.requestsUnderWay++;
      wake(connection);
      response.once('close', () => {
        connection.requestsUnderWay--;
        if (connection.requestsUnderWay === 0 && known.has(socket)) rest(connection);
      });
    },
    trust(socket) {
      const connection = known.get(socket);
      if (connection !== undefined) leaveOrigin(connection);
    },
    isDispensable: (socket) => {
      const connection = known.get(socket);
      return connection !== undefined && idle.has(connection);
    },
    snapshot: () => ({
      open: known.size,
      idle: idle.size,
      byAddress: Object.fromEntries([...origins.values()].map(({ address, open }) => [address, open])),
    }),
  };
}
