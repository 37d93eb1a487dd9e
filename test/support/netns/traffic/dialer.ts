// A program that makes connections as ordered on standard input and reports what became of them.
// It stays alive between orders, for starting Node anew would take longer than most of them.
import { createInterface } from 'node:readline';
import { type DialTask, dialMany, holdRate, keepAsking } from './dial-tasks.ts';
import type { Order, Reply } from './traffic.ts';

const tasks = new Map<number, DialTask>();

process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  const order: Order = JSON.parse(line);
  carryOut(order).then(reply, (error: unknown) => reply({ id: order.id, failure: String(error) }));
}
process.exit();

async function carryOut(order: Order): Promise<Reply> {
  const { id, kind } = order;
  switch (kind) {
    case 'dial':
      return { id, report: await dialMany(order.request) };
    case 'hold':
      return begin(id, holdRate(order.request));
    case 'keep':
      return begin(id, keepAsking(order.request));
    case 'look':
      return { id, report: await task(order.task).look() };
    case 'stop':
      return { id, report: await task(order.task).stop() };
  }
}

async function begin(id: number, task: DialTask): Promise<Reply> {
  tasks.set(id, task);
  return { id, report: await task.look() };
}

function task(id: number): DialTask {
  const found = tasks.get(id);
  if (!found) throw new Error(`Cannot find task "${id}"`);
  return found;
}

function reply(message: Reply): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
