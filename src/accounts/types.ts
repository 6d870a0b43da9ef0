/**
 * Accounts as everybody sees them: the account store's questions and answers (the shapes of Mahi, which the real one
 * gives too), callers, and the verdict of the rules.
 */

/** One rule of a policy. Mahi answers either the text or an array that begins with it. */
export type RuleText = string | readonly unknown[];

export interface Role {
  readonly uuid: string;
  readonly name: string;
  /** UUID of the account that the role belongs to. */
  readonly account: string;
  readonly policies?: readonly string[];
  /** Expanded from the policies. */
  readonly rules: readonly RuleText[];
}

export interface Account {
  readonly uuid: string;
  readonly login: string;
  readonly approved_for_provisioning: boolean;
  readonly groups: readonly string[];
  /** `operators` is among the groups. */
  readonly isOperator: boolean;
  /** By MD5 fingerprint, `aa:bb:…` without prefix: the public key, in OpenSSH form or PEM. */
  readonly keys: Readonly<Record<string, string>>;
  /** UUIDs of the roles that the account itself may take. */
  readonly roles: readonly string[];
  readonly defaultRoles: readonly string[];
}

export interface User {
  readonly uuid: string;
  /** UUID of its account. */
  readonly account: string;
  readonly login: string;
  readonly keys: Readonly<Record<string, string>>;
  readonly roles: readonly string[];
  readonly defaultRoles: readonly string[];
}

/** An account, or one of its users, with all roles it may take. */
export interface AccountAnswer {
  readonly account: Account;
  readonly user?: User | null;
  readonly roles: Readonly<Record<string, Role>>;
}

export interface UuidsAnswer {
  /** UUID of the account. */
  readonly account: string;
  /** By name; names that do not exist are missing. */
  readonly uuids: Readonly<Record<string, string>>;
}

/**
 * Rejects with a VError named `AccountDoesNotExistError` or `UserDoesNotExistError` when there is none; with any other
 * error when the store could not be asked.
 */
export interface AccountStore {
  accountByLogin(login: string): Promise<AccountAnswer>;
  accountById(uuid: string): Promise<AccountAnswer>;
  /** @param options.fallback answer the bare account when it has no such user. */
  user(accountLogin: string, userLogin: string, options?: { readonly fallback?: boolean }): Promise<AccountAnswer>;
  userById(uuid: string): Promise<AccountAnswer>;
  /** Names of accounts, users and roles by UUID; unknown ones are missing. */
  names(uuids: readonly string[]): Promise<Readonly<Record<string, string>>>;
  uuids(accountLogin: string, type: 'role' | 'user' | 'policy', names: readonly string[]): Promise<UuidsAnswer>;
}

export type Action =
  | 'getobject'
  | 'putobject'
  | 'deleteobject'
  | 'getdirectory'
  | 'putdirectory'
  | 'deletedirectory'
  | 'putlink'
  | 'createjob'
  | 'listjobs'
  | 'getjob'
  | 'managejob'
  | 'mlogin'
  | 'createtoken'
  | 'optionsstorage';

/** What rules may ask about a request; `activeRoles` are the UUIDs of the roles that count. */
export interface Conditions {
  readonly activeRoles?: readonly string[];
  readonly activeXAcctRoles?: readonly string[];
  readonly fromjob?: boolean;
  readonly method?: string;
  readonly owner?: string;
  readonly sourceip?: string;
  readonly 'user-agent'?: string;
  readonly overwrite?: boolean;
  /** Milliseconds since the epoch, or anything that Date reads. */
  readonly date?: string | number;
  readonly [name: string]: unknown;
}

export interface AuthorizeQuestion {
  /** null: nobody, a request without credentials. */
  readonly principal: AccountAnswer | null;
  readonly action: Action;
  /** The owner's account, with its user `anonymous` if it has one: `store.user(login, 'anonymous', {fallback: true})`. */
  readonly owner: AccountAnswer;
  /** `/:uuid/stor/…` */
  readonly key: string;
  /** UUIDs of the role tags on the resource. */
  readonly roles: readonly string[];
  readonly conditions: Conditions;
  /** What messages call the resource: the path of the request; by default the key. */
  readonly path?: string;
}

export type Verdict =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      readonly code: 'AccountBlocked' | 'AuthorizationFailed' | 'NoMatchingRoleTag';
      readonly message: string;
    };

/** What a token says about its bearer. */
export interface TokenClaims {
  readonly account: string;
  readonly user: string | null;
  readonly activeRoles: readonly string[];
  readonly activeXAcctRoles?: readonly string[];
  /** Only in the tokens of jobs. */
  readonly fromjob?: boolean;
}

/** The parts of a request that authentication reads; an `http.IncomingMessage` is one. */
export interface SignedRequest {
  readonly method?: string | undefined;
  /** Exactly as received: path and query. */
  readonly url?: string | undefined;
  readonly httpVersion: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** Who asks, and how they proved it. */
export interface Caller {
  /** null: no credentials were given. */
  readonly principal: AccountAnswer | null;
  readonly scheme: 'signature' | 'token' | 'presigned' | 'none';
  /** Only for tokens: its claims, whose roles replace the Role header and the default roles. */
  readonly claims?: TokenClaims;
  /** Names of the roles asked for, comma-separated: the header `Role`, or a presigned URL's parameter. */
  readonly role?: string;
  /** Names of the roles to tag what is written with: `Role-Tag`, or a presigned URL's parameter. */
  readonly roleTag?: string;
}
