/** Where the bytes of a new object go. */
import { httpError } from '../../http/errors.js';
import { chooseNodes, type Placement } from '../placement/choose.js';
import { statusOf } from '../placement/node-client.js';
import type { Call } from '../request/call.js';
import { defaultContentType } from '../request/content-type.js';
import type { Destination } from './receive.js';
import { megabytes } from './size.js';

interface WantedSpace {
  readonly copies: number;
  readonly maxBytes: number;
  /** Without room for so many there is no upload. */
  readonly neededBytes: number;
}

/** @throws VError `NoStorageNodes`, `NotEnoughSpace`. */
export async function destination(call: Call, wanted: WantedSpace): Promise<Destination> {
  const { copies, maxBytes, neededBytes } = wanted;
  const { services, owner, requestId } = call;
  return {
    nodes: services.nodes,
    setWithout: (await place(call, copies, { wantedMb: megabytes(maxBytes), neededMb: megabytes(neededBytes) }))
      .setWithout,
    creator: owner.account.uuid,
    maxBytes,
    contentType: defaultContentType,
    requestId,
    onRefused(node, error) {
      services.log.warn({ err: error, req_id: requestId, node: node.id }, 'a storage node did not take an upload');
      if (statusOf(error) === undefined) services.picker.noteSilence(node.id);
    },
  };
}

/** Nodes with room for all that may come; if there are none, such as have room for what is sure to come. */
async function place(
  call: Call,
  copies: number,
  { wantedMb, neededMb }: { wantedMb: number; neededMb: number },
): Promise<Placement & { readonly found: true }> {
  const { config, picker, random } = call.services;
  const { maxPercentUsed, maxOperatorPercentUsed } = config.storage;
  const request = {
    copies,
    multiDc: config.multiDC,
    maxPercentUsed: call.isOperator ? maxOperatorPercentUsed : maxPercentUsed,
  };
  const nodes = await picker.nodes();
  for (const sizeMb of [wantedMb, neededMb]) {
    const placement = chooseNodes(nodes, { ...request, sizeMb }, random);
    if (placement.found) return placement;
    if (placement.problem === 'no nodes') throw httpError('NoStorageNodes');
  }
  throw httpError('NotEnoughSpace', neededMb);
}
