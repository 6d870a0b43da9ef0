/** One request, once it is known who asks for what: all that the handlers of routes are given. */
import type { Socket } from 'node:net';
import type { ParsedUrlQuery } from 'node:querystring';
import type { Request, Response } from 'restify';
import type { Tokens } from '../../accounts/tokens.js';
import type { AccountAnswer, AccountStore, Action, Caller, Conditions } from '../../accounts/types.js';
import type { Clock } from '../../common/clock.js';
import type { Logger } from '../../common/logging.js';
import type { RequestMetrics } from '../../http/metrics.js';
import type { Jobs } from '../../jobs/types.js';
import type { FrontdoorConfig } from '../config.js';
import type { Limits } from '../limits/limits.js';
import type { EntryStore } from '../metadata/entry-store.js';
import type { ResourcePath } from '../paths.js';
import type { NodeClient } from '../placement/node-client.js';
import type { Picker } from '../placement/picker.js';
import type { Reflector } from '../sessions/reflector.js';

/** What the front door is made of: one of each per process. */
export interface Services {
  readonly config: FrontdoorConfig;
  readonly log: Logger;
  readonly clock: Clock;
  /** Answers in [0, 1). */
  readonly random: () => number;
  readonly newId: () => string;
  readonly accounts: AccountStore;
  readonly tokens: Tokens;
  readonly entries: EntryStore;
  readonly jobs: Jobs;
  readonly picker: Picker;
  readonly nodes: NodeClient;
  readonly reflector: Reflector;
  readonly limits: Limits;
  readonly metrics: RequestMetrics;
}

/** A request whose target is understood, but not yet who sends it. */
export interface Arrival {
  readonly request: Request;
  readonly response: Response;
  readonly services: Services;
  /** Named `req_id` in the log. */
  readonly requestId: string;
  readonly nowMs: number;
  readonly method: string;
  readonly target: ResourcePath;
  /** As in `target`: what messages name. */
  readonly path: string;
  readonly query: ParsedUrlQuery;
  /** Type of the body, lower case, without parameters; undefined when none was sent. */
  readonly contentType: ContentType | undefined;
  /** Only for requests that ask for another protocol. */
  readonly upgrade?: Upgrade;
}

/** The bare connection of a request that asks for another protocol. */
export interface Upgrade {
  readonly socket: Socket;
  /** What came behind the head of the request. */
  readonly head: Buffer;
}

export interface ContentType {
  /** As it is stored. */
  readonly text: string;
  /** `application/json`, lower case. */
  readonly media: string;
  /** Value of the parameter `type`, lower case. */
  readonly kind: string | undefined;
}

export interface Call extends Arrival {
  readonly caller: Caller;
  /** The account that the path belongs to, with its user `anonymous` if there is one. */
  readonly owner: AccountAnswer;
  /** Of the path. */
  readonly key: string;
  /** UUIDs. */
  readonly activeRoles: readonly string[];
  readonly conditions: Conditions;
  /** Whether the caller is an account (not one of its users) of an operator. */
  readonly isOperator: boolean;
  /** Values of the parts of the route's pattern. */
  readonly parameters: Readonly<Record<string, string>>;
}

export type Handler = (call: Call) => Promise<void>;

/** What a permission is asked for. */
export interface Permission {
  readonly action: Action;
  readonly key: string;
  readonly roles: readonly string[] | undefined;
  /** Further conditions that rules may ask about. */
  readonly conditions?: Conditions;
  /** When it is not the caller's path: the account that the key belongs to. */
  readonly owner?: AccountAnswer;
}
