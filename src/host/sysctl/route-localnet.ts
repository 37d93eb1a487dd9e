// The sysctl route_localnet, which packets from 127.0.0.1 to other hosts need.

import { readFile, writeFile } from 'node:fs/promises';
import { errorMessage } from '../../lib/error-message.ts';
import type { Log } from '../log.ts';

const SETTING = 'net.ipv4.conf.all.route_localnet';
const ROUTE_LOCALNET = '/proc/sys/net/ipv4/conf/all/route_localnet';

/** Whether it is enabled, by nftlane or otherwise. */
export async function isRouteLocalnetEnabled(path = ROUTE_LOCALNET): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trim() === '1';
}

/** Enables it, and disables it again only if it was disabled before. */
export class RouteLocalnet {
  readonly #log: Log;
  readonly #path: string;
  #isSetByUs = false;
  #isEnabled = false;
  /** Serializes the calls: an `enable` during a `disable` must not be lost. */
  #queue: Promise<void> = Promise.resolve();

  constructor(log: Log, path = ROUTE_LOCALNET) {
    this.#log = log;
    this.#path = path;
  }

  /** Call it after the rules that protect loopback addresses are installed. Returns whether it is enabled now. Never rejects. */
  enable(): Promise<boolean> {
    const enabled = this.#queue.then(() => this.#enable());
    this.#queue = enabled.then(() => undefined);
    return enabled;
  }

  /** Call it before these rules are removed. Never rejects. */
  disable(): Promise<void> {
    this.#queue = this.#queue.then(() => this.#disable());
    return this.#queue;
  }

  async #enable(): Promise<boolean> {
    if (this.#isEnabled) return true;
    this.#isEnabled = true;
    try {
      if ((await readFile(this.#path, 'utf8')).trim() === '1') return true;
      await writeFile(this.#path, '1');
      this.#isSetByUs = true;
      this.#log.info('route_localnet enabled', {
        setting: SETTING,
        value: 1,
        reason: 'node ports at 127.0.0.1 need it',
      });
      return true;
    } catch (error) {
      const hint = `run "sysctl -w ${SETTING}=1" on the host, or remove localhost from nodePortAddresses`;
      this.#log.warn('node ports at 127.0.0.1 reach only endpoints of this host', {
        reason: errorMessage(error),
        hint,
      });
      return false;
    }
  }

  async #disable(): Promise<void> {
    if (!this.#isEnabled) return;
    this.#isEnabled = false;
    if (this.#isSetByUs) await writeFile(this.#path, '0').catch(() => {});
    this.#isSetByUs = false;
    if (!(await isRouteLocalnetEnabled(this.#path))) return;
    const hint = `run "sysctl -w ${SETTING}=0" unless another program needs it`;
    this.#log.warn('loopback addresses of this host may be reachable from its network', { setting: SETTING, hint });
  }
}
