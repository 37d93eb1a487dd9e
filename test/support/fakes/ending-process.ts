// Ends itself with status 3 while a thread waits for a named pipe, or with a child: ending-process.ts PIPE|child

import { readFile } from 'node:fs/promises';
import { argv, stdout } from 'node:process';
import { endProcess } from '../../../src/host/process/end-process.ts';
import { LineProcess } from '../../../src/host/process/line-process.ts';

const [, , argument = ''] = argv;
if (argument === 'child') {
  // It ignores the end of its input and SIGTERM.
  const child = new LineProcess('sh', { args: ['-c', 'trap "" TERM; sleep 600; sleep 600'], onExit: () => {} });
  stdout.write(`${child.pid}\n`);
} else {
  readFile(argument).catch(() => {});
  stdout.write('waiting\n');
}
setTimeout(() => endProcess(3), 100);
