// The Event of a daemon that ends because a server of its own cannot listen: nobody else would say why at the Node.

import { eventRefOf } from '../events/event-object.ts';
import { ApiEventWriter } from '../events/event-writer.ts';
import type { Log } from '../host/log.ts';
import { ListenError } from '../host/network/listen.ts';
import { MetricsListenError } from '../metrics/server/debug-server.ts';
import type { ApiClient } from '../sources/api-server/client/api-client.ts';

export interface ListenFailureOptions {
  /** Opens the way to the API server. */
  readonly connect: () => Promise<Pick<ApiClient, 'request' | 'close'>>;
  readonly nodeName: string;
  readonly log: Log;
}

/** The end must not wait for an API server that does not answer. */
const EVENT_TIMEOUT_MS = 5_000;

/** Writes the Event, with kube-proxy's reasons, if the error is of that kind. Never rejects. */
export async function writeListenFailureEvent(
  error: unknown,
  { connect, nodeName, log }: ListenFailureOptions,
): Promise<void> {
  if (!(error instanceof ListenError)) return;
  const isMetricsServer = error instanceof MetricsListenError;
  const event = {
    regarding: { kind: 'Node', key: nodeName },
    type: 'Warning',
    reason: isMetricsServer ? 'FailedToStartMetricServer' : 'FailedToStartProxierHealthcheck',
    action: 'StartNftlane',
    note: error.message,
    scope: 'node',
  } as const;
  const when = { nodeName, at: Date.now() };
  try {
    const client = await connect();
    const written = new ApiEventWriter(client).create(
      event,
      eventRefOf(event, when),
      when,
      AbortSignal.timeout(EVENT_TIMEOUT_MS),
    );
    await written.finally(() => client.close());
  } catch (writeError) {
    const reason = writeError instanceof Error ? writeError.message : String(writeError);
    log.warn('the end of this daemon cannot be told as an Event', { reason });
  }
}
