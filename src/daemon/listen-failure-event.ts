// The Event of a daemon that exits because its health or metrics server cannot listen.

import { eventRefOf } from '../events/event-object.ts';
import { ApiEventWriter } from '../events/event-writer.ts';
import type { Log } from '../host/log.ts';
import { ListenError } from '../host/network/listen.ts';
import { errorMessage } from '../lib/error-message.ts';
import { MetricsListenError } from '../metrics/server/debug-server.ts';
import type { ApiClient } from '../sources/api-server/client/api-client.ts';

interface ListenFailureOptions {
  /** Connects to the API server. */
  readonly connect: () => Promise<Pick<ApiClient, 'request' | 'close'>>;
  readonly nodeName: string;
  readonly log: Log;
}

/** The exit must not wait for an unresponsive API server. */
const EVENT_TIMEOUT_MS = 5_000;

/** Writes an Event with kube-proxy's reason if `error` is a {@link ListenError}. Never rejects. */
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
  const origin = { nodeName, at: Date.now() };
  try {
    const client = await connect();
    const written = new ApiEventWriter(client).create(
      event,
      eventRefOf(event, origin),
      origin,
      AbortSignal.timeout(EVENT_TIMEOUT_MS),
    );
    await written.finally(() => client.close());
  } catch (writeError) {
    log.warn('cannot write Event about the failed server', { reason: errorMessage(writeError) });
  }
}
