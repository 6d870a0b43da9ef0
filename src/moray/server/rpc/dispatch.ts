/** From a request to its RPC: finds it, checks the arguments, runs it, reports its failure. */
import type { Logger } from '../../../common/logging.js';
import { MorayError } from '../errors.js';
import type { Request } from '../framing/connection.js';
import type { Metrics } from '../metrics.js';
import { checkArguments } from './arguments.js';
import { type RpcContext, rpcs } from './table.js';

interface DispatchOptions extends RpcContext {
  readonly log: Logger;
  readonly metrics: Metrics;
}

export function createDispatch(options: DispatchOptions): (request: Request) => void {
  const { log, metrics } = options;
  const byName = new Map(rpcs.map((rpc) => [rpc.name, rpc]));
  return (request) => {
    const { method, args, msgid } = request;
    const rpc = byName.get(method);
    if (rpc === undefined) {
      const info = { fastReason: 'bad_method', rpcMethod: method, rpcMsgid: msgid };
      request.fail(new MorayError('FastError', `unsupported RPC method: "${method}"`, { info }));
      return;
    }
    const observe = metrics.startRequest(method);
    const fail = (error: Error) => {
      observe('error');
      if (!(error instanceof MorayError)) log.error({ err: error, method }, 'request failed by a defect');
      else log.debug({ method, name: error.name, reason: error.message }, 'request failed');
      request.fail(error);
    };
    try {
      checkArguments(method, rpc.args, args);
      rpc.run(options, args, request).then(() => observe('ok'), fail);
    } catch (error) {
      fail(error as Error);
    }
  };
}
