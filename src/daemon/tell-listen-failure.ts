// The Event of a daemon that ends because a server of its own cannot listen: nobody else would say why at the Node.

import { placeOf } from '../events/event-object.ts';
import { ApiEventWriter } from '../events/event-writer.ts';
import type { Log } from '../host/log.ts';
import { ListenError } from '../host/network/listen.ts';
import { MetricsListenError } from '../metrics/server/debug-server.ts';
import type { ApiClient } from '../sources/api-server/client/api-client.ts';

export interface ListenFailureParts {
  /** Opens the way to the API server. */
  readonly connect: () => Promise<Pick<ApiClient, 'request' | 'close'>>;
  readonly nodeName: string;
  readonly log: Log;
}

/** The end must not wait for an API server that does not answer. */
const PATIENCE_MS = 5_000;

/** Writes the Event, with kube-proxy's reasons, if the error is of that kind. Never rejects. */
export async function tellListenFailure(error: unknown, { connect, nodeName, log }: ListenFailureParts): Promise<void> {
  if (!(error instanceof ListenError)) return;
  const ofMetrics = error instanceof MetricsListenError;
  const happening = {
    regarding: { kind: 'Node', key: nodeName },
    type: 'Warning',
    reason: ofMetrics ? 'FailedToStartMetricServer' : 'FailedToStartProxierHealthcheck',
    action: 'StartNftlane',
    note: error.message,
    seenBy: 'this node',
  } as const;
  const when = { nodeName, at: Date.now() };
  try {
    const client = await connect();
    const writing = new ApiEventWriter(client).create(
      happening,
      placeOf(happening, when),
      when,
      AbortSignal.timeout(PATIENCE_MS),
    );
    await writing.finally(() => client.close());
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    log.warn('the end of this daemon cannot be told as an Event', { reason });
  }
}
