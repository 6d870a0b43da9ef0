import type { Request, Response } from 'restify';
import type { Logger } from '../common/logging.js';

export interface OperatorRoute {
  readonly method: 'get' | 'post' | 'put' | 'del';
  readonly path: string;
  /** Answers; what it throws is answered as an error. */
  readonly handle: (request: Request, response: Response) => Promise<void>;
}

export interface OperatorServerOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly log: Logger;
  readonly routes?: readonly OperatorRoute[];
  /** Body of `GET /kang/snapshot`, taken anew at each request. */
  readonly snapshot: () => object | Promise<object>;
  /** Body of `GET /kang/schema`. */
  readonly schema?: object;
}

export interface OperatorServer {
  readonly port: number;
  stop(): Promise<void>;
}

export async function createOperatorServer(options: OperatorServerOptions): Promise<OperatorServer> {
  throw new Error(`not yet: ${options.port}`);
}
