// Sends a TCP segment of a pod's connection that is far outside its window.

import type { Namespace } from '../namespace.ts';

/**
 * Waits for the next segment of the connection and sends it again with another sequence number. The acknowledgment number is
 * valid, so a host that does not know the connection answers with a reset that the pod accepts.
 */
const PROGRAM = `
import socket, struct, sys
server, client = int(sys.argv[1]), int(sys.argv[2])
tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
tap.settimeout(5)
while True:
    packet = tap.recv(65535)
    is_ip6 = packet[0] >> 4 == 6
    head = 40 if is_ip6 else (packet[0] & 15) * 4
    if packet[6 if is_ip6 else 9] != 6:
        continue
    source, target, sequence, acknowledged = struct.unpack('!HHII', packet[head:head + 12])
    data = (packet[head + 12] >> 4) * 4
    if source == server and target == client and len(packet) > head + data:
        break
segment = struct.pack('!HHIIBBHHH', source, target, (sequence + 2**30) % 2**32, acknowledged, 5 << 4, 24, 500, 0, 0) + b'late'
addresses = packet[8:40] if is_ip6 else packet[12:20]
pseudo = addresses + struct.pack('!BBH', 0, 6, len(segment))
words = struct.unpack('!%dH' % (len(pseudo + segment) // 2), pseudo + segment)
total = sum(words)
while total >> 16:
    total = (total & 65535) + (total >> 16)
segment = segment[:16] + struct.pack('!H', ~total & 65535) + segment[18:]
family = socket.AF_INET6 if is_ip6 else socket.AF_INET
raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
raw.sendto(segment, (socket.inet_ntop(family, addresses[len(addresses) // 2:]), 0))
`;

/** Sends it from the server's port to the client's. Returns false if Python is not installed. */
export async function sendInvalidSegment(pod: Namespace, from: number, to: number): Promise<boolean> {
  if ((await pod.exec('python3', ['-c', 'import socket'])).status !== 0) return false;
  await pod.output('python3', ['-c', PROGRAM, `${from}`, `${to}`]);
  return true;
}
