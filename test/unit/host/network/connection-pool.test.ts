// Tests of src/host/network/connection-pool.ts.

import { Socket } from 'node:net';
import t from 'tap';
import { ConnectionPool } from '../../../../src/host/network/connection-pool.ts';

/** Opens connections; the names of those that were closed follow in `closed`. */
function open(max: number, maxPerSource: number) {
  const pool = new ConnectionPool({ max, maxPerSource });
  const closed: string[] = [];
  const sockets = new Map<string, Socket>();
  const add = (name: string, source = 'a') => {
    const socket = new Socket();
    socket.resetAndDestroy = () => {
      closed.push(name);
      return socket;
    };
    sockets.set(name, socket);
    return pool.add(socket, source);
  };
  const of = (name: string): Socket => sockets.get(name) ?? new Socket();
  return { pool, closed, add, of };
}

t.test('ConnectionPool closes the oldest idle connection of a source that has too many', (t) => {
  const { closed, add } = open(10, 2);
  t.strictSame(add('1', 'b'), []);
  add('2');
  add('3');
  t.strictSame(add('4'), ['a']);
  add('5');
  t.strictSame(closed, ['2', '3']);
  t.end();
});

t.test('ConnectionPool closes the oldest idle connection of all when there are too many', (t) => {
  const { closed, add, pool, of } = open(3, 3);
  add('1', 'a');
  add('2', 'b');
  add('3', 'c');
  t.ok(pool.begin(of('1')));
  pool.end(of('1'));
  t.strictSame(add('4', 'd'), ['b'], 'a request makes a connection younger');
  t.ok(pool.begin(of('3')));
  add('5', 'e');
  t.strictSame(closed, ['2', '1'], 'a busy connection stays');
  t.end();
});

t.test('ConnectionPool closes a busy connection only if none is idle', (t) => {
  const { closed, add, pool, of } = open(2, 2);
  add('1');
  add('2');
  pool.begin(of('2'));
  pool.begin(of('1'));
  add('3');
  t.strictSame(closed, ['2'], 'the longest busy one');
  t.end();
});

t.test('ConnectionPool.begin() refuses a second request until the first has ended', (t) => {
  const { add, pool, of } = open(2, 2);
  add('1');
  t.strictSame([pool.begin(of('1')), pool.begin(of('1'))], [true, false]);
  pool.end(of('1'));
  t.ok(pool.begin(of('1')));
  t.end();
});

t.test('ConnectionPool.delete() makes room, and may be repeated', (t) => {
  const { closed, add, pool, of } = open(2, 2);
  add('1');
  add('2');
  pool.delete(of('1'));
  pool.delete(of('1'));
  pool.end(of('1'));
  t.strictSame([pool.has(of('1')), pool.has(of('2'))], [false, true]);
  add('3');
  t.strictSame(closed, []);
  add('4');
  t.strictSame(closed, ['2']);
  t.end();
});
