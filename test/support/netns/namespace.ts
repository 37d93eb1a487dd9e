// One network namespace: a place to run processes in and to set kernel settings of.

import { type ExecOptions, type ExecResult, execute, killGroup, output, type PipedChild, start } from './process.ts';
import type { Addresses } from './topology.ts';
import { type Dialer, startDialer } from './traffic/dialer-process.ts';
import { type Responder, type ResponderPorts, startResponder } from './traffic/responder-process.ts';

export class Namespace {
  /** As `ip netns` knows it. */
  readonly name: string;
  readonly ip: string;
  readonly ip6: string;
  readonly #label: string;
  readonly #children = new Set<PipedChild>();

  constructor(label: string, { name, ip, ip6 }: Addresses & { name: string }) {
    this.#label = label;
    this.name = name;
    this.ip = ip;
    this.ip6 = ip6;
  }

  /** Runs a command to its end, whatever its exit status is. */
  exec(command: string, args: readonly string[] = [], options: ExecOptions = {}): Promise<ExecResult> {
    return execute('ip', ['netns', 'exec', this.name, command, ...args], options);
  }

  /** Runs a command that must succeed and returns what it printed. */
  output(command: string, args: readonly string[] = [], options: ExecOptions = {}): Promise<string> {
    return output('ip', ['netns', 'exec', this.name, command, ...args], options);
  }

  /** Starts a process that lives until it is killed or the world ends. */
  spawn(command: string, args: readonly string[] = []): PipedChild {
    return this.adopt(start('ip', ['netns', 'exec', this.name, command, ...args]));
  }

  /** Ends a process, which came here in another way, together with the others. */
  adopt(child: PipedChild): PipedChild {
    this.#children.add(child);
    const forget = () => this.#children.delete(child);
    child.once('exit', forget).once('error', forget);
    return child;
  }

  /** Applies ip commands in one go: all of them, or an error at the first that fails. */
  async configure(commands: readonly string[]): Promise<void> {
    await output('ip', ['-n', this.name, '-batch', '-'], { input: `${commands.join('\n')}\n` });
  }

  /** Sets kernel settings by their dotted names. */
  async sysctl(settings: Readonly<Record<string, string | number>>): Promise<void> {
    await this.output('sysctl', ['-q', '-w', ...Object.entries(settings).map(([key, value]) => `${key}=${value}`)]);
  }

  /** Starts a program here that makes connections and counts who answers. */
  dialer(): Promise<Dialer> {
    return startDialer(this);
  }

  /** Starts servers here that answer with the name of this place and with what they see of the client. */
  respond(ports: ResponderPorts): Promise<Responder> {
    return startResponder(this, { name: this.#label, ip: this.ip, ip6: this.ip6, ...ports });
  }

  /** Kills what was started here with `spawn`, `dialer` and `respond`, and what was adopted. */
  killChildren(): void {
    for (const child of this.#children) killGroup(child);
    this.#children.clear();
  }
}
