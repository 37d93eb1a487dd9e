// A network namespace, in which processes can be run and kernel settings changed.

import { type ExecOptions, type ExecResult, execute, killGroup, output, type PipedChild, start } from './process.ts';
import type { Addresses } from './topology.ts';
import { type Dialer, startDialer } from './traffic/dialer-process.ts';
import { type Responder, type ResponderPorts, startResponder } from './traffic/responder-process.ts';

export class Namespace {
  /** The name for `ip netns`. */
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

  /** Runs a command and waits for its exit, whatever the status is. */
  exec(command: string, args: readonly string[] = [], options: ExecOptions = {}): Promise<ExecResult> {
    return execute('ip', ['netns', 'exec', this.name, command, ...args], options);
  }

  /** Runs a command that must succeed, and returns its output. */
  output(command: string, args: readonly string[] = [], options: ExecOptions = {}): Promise<string> {
    return output('ip', ['netns', 'exec', this.name, command, ...args], options);
  }

  /** Starts a process that runs until it is killed or the world is destroyed. */
  spawn(command: string, args: readonly string[] = []): PipedChild {
    return this.adopt(start('ip', ['netns', 'exec', this.name, command, ...args]));
  }

  /** Adds a process that was started in another way to those that {@link killChildren} kills. */
  adopt(child: PipedChild): PipedChild {
    this.#children.add(child);
    const forget = () => this.#children.delete(child);
    child.once('exit', forget).once('error', forget);
    return child;
  }

  /** Runs ip commands as a batch, which fails at the first error. */
  async configure(commands: readonly string[]): Promise<void> {
    await output('ip', ['-n', this.name, '-batch', '-'], { input: `${commands.join('\n')}\n` });
  }

  /** Sets sysctls. */
  async sysctl(settings: Readonly<Record<string, string | number>>): Promise<void> {
    await this.output('sysctl', ['-q', '-w', ...Object.entries(settings).map(([key, value]) => `${key}=${value}`)]);
  }

  /** Starts a program that makes connections and counts the answers of each pod. */
  dialer(): Promise<Dialer> {
    return startDialer(this);
  }

  /** Starts servers that answer with the name of this namespace and the client address that they see. */
  respond(ports: ResponderPorts): Promise<Responder> {
    return startResponder(this, { name: this.#label, ip: this.ip, ip6: this.ip6, ...ports });
  }

  /** Kills all processes started with `spawn`, `dialer` and `respond`, and adopted ones. */
  killChildren(): void {
    for (const child of this.#children) killGroup(child);
    this.#children.clear();
  }
}
