// A program that executes commands from standard input to make connections, and reports their outcomes. It is not restarted
// for each command, because starting Node.js takes longer than most of them.

import { createInterface } from 'node:readline';
import { type DialTask, dialAtRate, dialMany, requestRepeatedly } from './dial-tasks.ts';
import type { DialerCommand, DialerReply } from './messages.ts';

const tasks = new Map<number, DialTask>();

process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  const command: DialerCommand = JSON.parse(line);
  execute(command).then(reply, (error: unknown) => reply({ id: command.id, failure: String(error) }));
}
process.exit();

async function execute(command: DialerCommand): Promise<DialerReply> {
  const { id, kind } = command;
  switch (kind) {
    case 'dial':
      return { id, report: await dialMany(command.request) };
    case 'dial-at-rate':
      return start(id, dialAtRate(command.request));
    case 'keep-connection':
      return start(id, requestRepeatedly(command.request));
    case 'snapshot':
      return { id, report: await task(command.task).snapshot() };
    case 'stop':
      return { id, report: await task(command.task).stop() };
  }
}

async function start(id: number, task: DialTask): Promise<DialerReply> {
  tasks.set(id, task);
  return { id, report: await task.snapshot() };
}

function task(id: number): DialTask {
  const found = tasks.get(id);
  if (!found) throw new Error(`Cannot find task "${id}"`);
  return found;
}

function reply(message: DialerReply): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
