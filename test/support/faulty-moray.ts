/** A real Moray, seen through a way that loses answers and notifications when told to. */
import VError from 'verror';
import type { BatchRequest, MorayClient } from '../../src/moray/client/types.js';

export interface FaultyMoray extends MorayClient {
  /** Every batch that was sent. */
  readonly batches: (readonly BatchRequest[])[];
  /** So many of the next batches are carried out, but their answers never come. */
  loseAnswers: number;
  /** Notifications with a batch are forgotten, as by a server that does not know the option. */
  forgetsNotify: boolean;
  /** Nothing that is notified arrives. */
  isDeaf: boolean;
}

export function faultyMoray(moray: MorayClient): FaultyMoray {
  const faulty: FaultyMoray = {
    ...moray,
    batches: [],
    loseAnswers: 0,
    forgetsNotify: false,
    isDeaf: false,
    async batch(requests, options = {}) {
      faulty.batches.push(requests);
      const { notify, ...others } = options;
      const passed = notify === undefined || faulty.forgetsNotify ? others : { ...others, notify };
      const answer = await moray.batch(requests, passed);
      if (faulty.loseAnswers === 0) return answer;
      faulty.loseAnswers--;
      throw new VError({ name: 'FastTransportError' }, 'the answer was lost');
    },
    listen: (channel, onPayload, onEnd) =>
      moray.listen(
        channel,
        (payload) => {
          if (!faulty.isDeaf) onPayload(payload);
        },
        onEnd,
      ),
  };
  return faulty;
}
