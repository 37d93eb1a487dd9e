// Tests of src/services/model/endpoints-in-blocks.ts.

import t from 'tap';
import { type Prefix, parsePrefix } from '../../../../src/net/prefix.ts';
import { EndpointsInBlocks } from '../../../../src/services/model/endpoints-in-blocks.ts';
import { type EndpointSlice, readEndpointSlice } from '../../../../src/services/objects/endpoint-slice.ts';
import { endpoint, slice } from '../../../support/builders/slice.ts';

function block(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new Error(`"${text}" is a prefix`);
  return prefix;
}

function sliceWith(service: string, ...addresses: readonly string[]): EndpointSlice {
  const addressType = addresses[0]?.includes(':') ? 'IPv6' : 'IPv4';
  const endpoints = addresses.map((address) => endpoint(address));
  const { value } = readEndpointSlice(slice(service, { addressType, endpoints }));
  if (value === undefined) throw new Error('The slice is valid');
  return value;
}

const [NARROW, WIDE, IP6] = [block('10.96.0.0/12'), block('10.0.0.0/8'), block('fd00:10::/64')];

t.test('EndpointsInBlocks finds the slices that are known when the blocks are set', async (t) => {
  const index = new EndpointsInBlocks();
  const slices = [sliceWith('a/x', '10.1.0.1'), sliceWith('a/y', 'fd00:10::9', 'fd00:11::1')];
  index.setBlocks([NARROW, WIDE, IP6, WIDE], slices);
  t.equal(index.exampleIn(NARROW), undefined);
  t.equal(index.exampleIn(WIDE), 'a/x-1');
  t.equal(index.exampleIn(IP6), 'a/y-1');
  index.setBlocks([], slices);
  t.equal(index.exampleIn(WIDE), undefined, 'unknown block');
});

t.test('EndpointsInBlocks tells when a block gets its first slice and loses its last one', async (t) => {
  const index = new EndpointsInBlocks();
  index.setBlocks([NARROW, WIDE], []);
  t.equal(index.put(sliceWith('a/x', '192.0.2.1')), false);
  t.equal(index.put(sliceWith('a/x', '192.0.2.1', '10.1.0.1')), true, 'first in the wide block');
  t.equal(index.put(sliceWith('a/x', '10.1.0.2')), false, 'changed');
  t.equal(index.put(sliceWith('a/y', '10.1.0.3')), false, 'second slice');
  t.equal(index.put(sliceWith('a/y', '10.1.0.3', '10.100.0.1')), true, 'first in the narrow block');
  t.equal(index.delete('a/x-1'), false);
  t.equal(index.delete('a/x-1'), false, 'deleted before');
  t.equal(index.put(sliceWith('a/y', '192.0.2.3')), true, 'moved out of both');
  t.equal(index.put(sliceWith('a/y', '10.1.0.3')), true);
  t.equal(index.delete('a/y-1'), true);
  t.equal(index.exampleIn(WIDE), undefined);
});

t.test('EndpointsInBlocks tells which addresses are in a block without endpoints', async (t) => {
  const index = new EndpointsInBlocks();
  t.equal(index.isFree('10.96.0.1'), false, 'no block');
  index.setBlocks([NARROW, IP6], []);
  t.equal(index.isFree('10.96.0.1'), true);
  t.equal(index.isFree('fd00:10::1'), true);
  t.equal(index.isFree('10.1.0.1'), false, 'in no block');
  index.put(sliceWith('a/x', '10.97.0.1'));
  t.equal(index.isFree('10.96.0.1'), false, 'the block has an endpoint');
  index.setBlocks([NARROW, block('10.96.0.0/16')], [sliceWith('a/x', '10.97.0.1')]);
  t.equal(index.isFree('10.96.0.1'), true, 'in another block, too');
});
