// An installation of nftlane on a node: runs the daemon and other commands there.

import { fileURLToPath } from 'node:url';
import type { BpfMount } from './bpf-mount.ts';
import { Daemon } from './daemon.ts';
import type { Namespace } from './namespace.ts';
import { type ExecOptions, type ExecResult, execute, output, type PipedChild, start } from './process.ts';

/** Runs nftlane on one node. Commands find the socket of the daemon. */
export interface Installation {
  start(args: readonly string[]): PipedChild;
  exec(args: readonly string[], options?: ExecOptions): Promise<ExecResult>;
}

export interface BundleOptions {
  /** The bundle, as {@link buildProgram} returns it. */
  readonly program: string;
  /** The directory of the daemon's socket. */
  readonly runDir: string;
  /** A BPF file system that the commands see. */
  readonly mount?: BpfMount;
}

const BUILD = fileURLToPath(new URL('../../../hack/build.sh', import.meta.url));
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/**
 * Bundles the current sources, because the program takes three times as long to start without a bundle. Returns the path of
 * the bundle. On an emulated machine, where bundling takes a minute, TEST_PROGRAM names an existing one.
 */
export async function buildProgram(path: string): Promise<string> {
  const given = process.env['TEST_PROGRAM'];
  if (given !== undefined) return given;
  await output('env', ['-C', ROOT, BUILD, path], { timeoutMs: 60_000 });
  return path;
}

/** Runs the bundle as root in the network namespace of a node. */
export function installBundle(node: Namespace, { program, runDir, mount }: BundleOptions): Installation {
  const enter = mount === undefined ? ['ip', 'netns', 'exec', node.name] : ['nsenter', ...mount.enterOn(node)];
  const [command = '', ...prefix] = [...enter, process.execPath, program];
  const suffix = ['--run-dir', runDir];
  return {
    start: (args) => node.adopt(start(command, [...prefix, ...args, ...suffix])),
    exec: (args, options) => execute(command, [...prefix, ...args, ...suffix], options),
  };
}

/** For tests that change our tables as another program would, which an owner prevents. */
export const OPEN_TABLES = ['--table-ownership', 'no'] as const;

/**
 * Starts `nftlane run` with these flags, by default without ownership of the tables. The daemon runs until it is stopped or
 * the world is destroyed.
 */
export function startDaemon(installation: Installation, flags: readonly string[]): Daemon {
  const ownership = flags.includes('--table-ownership') ? [] : OPEN_TABLES;
  return new Daemon(installation.start(['run', ...flags, ...ownership]), () => installation.exec(['diff']));
}
