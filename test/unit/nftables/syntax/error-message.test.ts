// Tests of src/nftables/syntax/error-message.ts.

import t from 'tap';
import {
  errorMessages,
  isDrift,
  parseErrorMessages,
  parseSessionErrors,
} from '../../../../src/nftables/syntax/error-message.ts';

/** As nft 1.1.3 prints them. */
const STDERR = `/dev/stdin:3:32-49: Error: Could not process rule: No such file or directory
delete element ip6 nftlane m { fd00::1 . tcp . 80 }
                               ^^^^^^^^^^^^^^^^^^
In file included from /dev/stdin:1:1-10:
/proc/12/fd/20:14:1-5: Error: syntax error, unexpected string
Error: Operation not permitted
Warning: Error: in the middle of a line
`;

t.test('parseErrorMessages() returns errors with their lines', async (t) => {
  t.strictSame(parseErrorMessages(STDERR), [
    { line: 3, message: 'Could not process rule: No such file or directory' },
    { line: 14, message: 'syntax error, unexpected string' },
    { line: 0, message: 'Operation not permitted' },
  ]);
  t.strictSame(parseErrorMessages(''), []);
});

t.test('errorMessages() returns at least one error unless the status is 0', async (t) => {
  t.strictSame(errorMessages({ status: 0, stderr: 'Error: ignored' }), []);
  t.strictSame(errorMessages({ status: 1, stderr: 'Error: one\nError: two\n' }), [
    { line: 0, message: 'one' },
    { line: 0, message: 'two' },
  ]);
  t.strictSame(errorMessages({ status: 1, stderr: '\n# Warning: x\n no memory \n' }), [
    { line: 0, message: 'no memory' },
  ]);
  t.strictSame(errorMessages({ status: 139, stderr: '' }), [{ line: 0, message: 'exit status 139' }]);
});

t.test('isDrift() tells unexpected kernel state from an invalid operation', async (t) => {
  const cases: [message: string, drift: boolean][] = [
    ['Could not process rule: No such file or directory', true],
    ['No such file or directory', true],
    ["No such file or directory; did you mean table 'nftlane' in family ip6?", true],
    ["No such file or directory; did you mean map 'm' in table ip 'nftlane'?", true],
    ['Could not process rule: File exists', true],
    ['Could not process rule: Device or resource busy', false],
    ['syntax error, unexpected string', false],
    ['Operation not permitted', false],
    ['', false],
  ];
  for (const [message, drift] of cases) t.equal(isDrift({ line: 1, message }), drift, message);
});

t.test('parseErrorMessages() reads errors of the connection to the kernel', async (t) => {
  t.strictSame(parseErrorMessages('netlink: Error: Could not process rule: No buffer space available\n'), [
    { line: 0, message: 'Could not process rule: No buffer space available' },
  ]);
});

t.test('parseSessionErrors() finds the operation above the caret', async (t) => {
  const stderr = `Error: Could not process rule: No such file or directory
add chain ip nftlane c; add rule ip nftlane c jump e
                                                   ^
Error: Could not process rule: File exists
add chain ip nftlane c; add rule ip nftlane c jump e
~~~ ^^^^^
netlink: Error: cache initialization failed: Operation not permitted
`;
  t.strictSame(
    parseSessionErrors(stderr, (column) => 1000 + column),
    [
      { line: 1051, message: 'Could not process rule: No such file or directory' },
      { line: 1004, message: 'Could not process rule: File exists' },
      { line: 0, message: 'cache initialization failed: Operation not permitted' },
    ],
  );
});
