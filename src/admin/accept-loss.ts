// Asks the daemon to apply the loss of Services that it holds back.

import { asObject } from '../services/objects/read.ts';
import { AdminSocketError, sendCommand } from './fetch-state.ts';

/** The path of the request. */
export const ACCEPT_LOSS_PATH = '/accept-loss';

/** Returns the number of Services whose loss was held. Rejects with an {@link AdminSocketError}. */
export async function acceptLoss(socket: string): Promise<number> {
  const { services } = asObject(await sendCommand(socket, ACCEPT_LOSS_PATH));
  if (typeof services === 'number') return services;
  const message = `Cannot accept the loss: the daemon at "${socket}" is of another version`;
  throw new AdminSocketError(message, { noState: 'invalid' });
}
