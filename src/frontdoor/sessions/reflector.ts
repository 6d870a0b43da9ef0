/**
 * The reflector of interactive sessions: theory of operation. Both ends of a session come from outside, the user's
 * `mlogin` as master, the session agent inside the job as slave; each may be behind whatever lets only connections out.
 * They meet here, by the id of the job, and what one says is passed to the other, unread.
 *
 *   slave_wait --slave attaches: "linkup" to both--> forwarding --either ends--> closing --both gone--> forgotten
 *        '------ master ends: nobody is left ------------------------------------------------------------^
 *
 * While it waits, the master is told so every 2 s, which also keeps its connection alive; there is no other limit on the
 * wait, since a job may have to queue for its zone. What the master says before the slave is there is dropped. A slow
 * reader holds back the other side: nothing piles up here.
 */
import type { Clock } from '../../common/clock.js';
import type { WebSocketConnection, WebSocketHandlers } from '../../http/websocket/connection.js';

type State = 'slave_wait' | 'forwarding' | 'closing';
export type Role = 'master' | 'slave';

/** Opens the connection, whose events go to `handlers`. */
export type Connect = (handlers: WebSocketHandlers) => WebSocketConnection;

export interface SessionView {
  readonly id: string;
  readonly state: State;
  readonly has_master: boolean;
  readonly has_slave: boolean;
  readonly create_time: number;
}

export interface Reflector {
  /** Why this end cannot attach now; null: it can, if it does so at once. */
  refusal(
    jobId: string,
    role: Role,
  ): 'session exists already' | 'unknown session' | 'session already has a slave' | null;
  /** @param onOver called when the session is forgotten. Only after `refusal` said null. */
  attach(jobId: string, role: Role, connect: Connect, onOver?: () => void): void;
  sessions(): readonly SessionView[];
  /** Closes all. */
  stop(): void;
}

interface Session {
  readonly id: string;
  readonly createdMs: number;
  readonly ends: Partial<Record<Role, WebSocketConnection>>;
  readonly onOver: () => void;
  state: State;
  stopWaiting: () => void;
}

const waitPulseMs = 2_000;
const other = { master: 'slave', slave: 'master' } as const satisfies Record<Role, Role>;

export function createReflector(clock: Clock): Reflector {
  const sessions = new Map<string, Session>();

  function pulse(session: Session): void {
    session.stopWaiting = clock.after(waitPulseMs, () => {
      session.ends.master?.sendText(said('wait'));
      pulse(session);
    });
  }

  function ended(session: Session, role: Role, reason: string | null): void {
    delete session.ends[role];
    session.state = 'closing';
    session.stopWaiting();
    const left = session.ends[other[role]];
    if (left !== undefined) {
      left.close(reason ?? (role === 'master' ? 'remote connection reset' : 'remote connection error'));
      return;
    }
    sessions.delete(session.id);
    session.onOver();
  }

  function handlersOf(session: Session, role: Role): WebSocketHandlers {
    const pass = (send: (to: WebSocketConnection) => boolean): void => {
      const to = session.ends[other[role]];
      if (session.state !== 'forwarding' || to === undefined) return;
      if (!send(to)) session.ends[role]?.pause();
    };
    return {
      onText: (text) => pass((to) => to.sendText(text)),
      onBinary: (bytes) => pass((to) => to.sendBinary(bytes)),
      onDrain: () => session.ends[other[role]]?.resume(),
      onEnd: (reason) => ended(session, role, reason),
    };
  }

  function newSession(id: string, onOver: () => void): Session {
    const createdMs = clock.nowMs();
    const session: Session = { id, createdMs, ends: {}, onOver, state: 'slave_wait', stopWaiting: () => {} };
    sessions.set(id, session);
    return session;
  }

  return {
    refusal(jobId, role) {
      const session = sessions.get(jobId);
      if (role === 'master') return session === undefined ? null : 'session exists already';
      if (session === undefined) return 'unknown session';
      return session.state === 'slave_wait' ? null : 'session already has a slave';
    },
    attach(jobId, role, connect, onOver = () => {}) {
      const session = role === 'master' ? newSession(jobId, onOver) : sessions.get(jobId);
      if (session === undefined) throw new Error(`no session for job ${jobId}`);
      session.ends[role] = connect(handlersOf(session, role));
      if (role === 'master') {
        pulse(session);
        return;
      }
      session.stopWaiting();
      session.state = 'forwarding';
      session.ends.master?.sendText(said('linkup'));
      session.ends.slave?.sendText(said('linkup'));
    },
    sessions: () =>
      [...sessions.values()].map(({ id, state, ends, createdMs }) => ({
        id,
        state,
        has_master: ends.master !== undefined,
        has_slave: ends.slave !== undefined,
        create_time: createdMs,
      })),
    stop() {
      for (const { ends } of [...sessions.values()]) {
        ends.master?.close('the server is stopping');
        ends.slave?.close('the server is stopping');
      }
    },
  };
}

function said(type: 'wait' | 'linkup'): string {
  return `medusa:${JSON.stringify({ type })}`;
}
