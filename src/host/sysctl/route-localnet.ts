// The kernel setting without which nothing from 127.0.0.1 reaches another host: route_localnet.
import { readFile, writeFile } from 'node:fs/promises';
import type { Log } from '../log.ts';

const ROUTE_LOCALNET = '/proc/sys/net/ipv4/conf/all/route_localnet';

/** Whether it is on, whoever has switched it on. */
export async function isRouteLocalnetEnabled(path = ROUTE_LOCALNET): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trim() === '1';
}

/** Switches it on, and off again what it has switched on. */
export class RouteLocalnet {
  readonly #log: Log;
  readonly #path: string;
  #setByUs = false;
  #isEnabled = false;
  /** One after the other: what is switched on while it is being switched off would stay. */
  #queue: Promise<void> = Promise.resolve();

  constructor(log: Log, path = ROUTE_LOCALNET) {
    this.#log = log;
    this.#path = path;
  }

  /** To be called once rules keep others away from loopback addresses. Says whether it is on now. Never rejects. */
  enable(): Promise<boolean> {
    const enabled = this.#queue.then(() => this.#enable());
    this.#queue = enabled.then(() => undefined);
    return enabled;
  }

  /** To be called before these rules go. Never rejects. */
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
      this.#setByUs = true;
      this.#log.info('switched on net.ipv4.conf.all.route_localnet: node ports at 127.0.0.1 need it');
      return true;
    } catch (error) {
      const advice =
        'sysctl -w net.ipv4.conf.all.route_localnet=1 on the host, or take localhost out of nodePortAddresses';
      this.#log.warn('node ports at 127.0.0.1 reach endpoints of this host only', { reason: String(error), advice });
      return false;
    }
  }

  async #disable(): Promise<void> {
    if (!this.#isEnabled) return;
    this.#isEnabled = false;
    if (this.#setByUs) await writeFile(this.#path, '0').catch(() => {});
    this.#setByUs = false;
    if (!(await isRouteLocalnetEnabled(this.#path))) return;
    const advice = 'sysctl -w net.ipv4.conf.all.route_localnet=0, unless something else needs it';
    this.#log.warn('loopback addresses of this host may be reached from its network', { advice });
  }
}
