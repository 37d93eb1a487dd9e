// Sends packets without a socket of their protocol: SCTP, which this kernel may lack, and ICMP.

import type { Namespace } from '../namespace.ts';
import { killGroup } from '../process.ts';
import { outputLines } from '../program-output.ts';

/** CRC32c of RFC 9260, appendix A, over a packet with a zero checksum. */
const CRC = `
import json, socket, struct, sys
def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
`;

/** Sends INIT chunks (RFC 9260, 3.3.2), one from each port starting at 5000. */
const SEND_INITS = `${CRC}
address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
family = socket.AF_INET6 if ':' in address else socket.AF_INET
raw = socket.socket(family, socket.SOCK_RAW, 132)
for source in range(5000, 5000 + count):
    chunk = struct.pack('!BBHIIHHI', 1, 0, 20, source, 65536, 1, 1, source)
    head = struct.pack('!HHI', source, port, 0)
    checksum = struct.pack('<I', crc32c(head + bytes(4) + chunk))
    raw.sendto(head + checksum + chunk, (address, 0))
`;

/** Prints a line for each received packet: its sender, its port, and whether the checksum is correct. */
const CAPTURE_INITS = `${CRC}
import select
raws = [socket.socket(family, socket.SOCK_RAW, 132) for family in (socket.AF_INET, socket.AF_INET6)]
print('ready', flush=True)
while True:
    for raw in select.select(raws, [], [])[0]:
        packet, peer = raw.recvfrom(65535)
        if raw.family == socket.AF_INET:
            packet = packet[(packet[0] & 15) * 4:]
        source, target = struct.unpack('!HH', packet[:4])
        intact = packet[8:12] == struct.pack('<I', crc32c(packet[:8] + bytes(4) + packet[12:]))
        print(json.dumps({'client': peer[0], 'port': target, 'chunk': packet[12], 'intact': intact}), flush=True)
`;

/** Sends an echo request and prints type, code and sender of the ICMP reply. */
const ECHO_REQUEST = `
import json, os, socket, struct, sys, time
address = sys.argv[1]
is6 = ':' in address
raw = socket.socket(*((socket.AF_INET6, socket.SOCK_RAW, 58) if is6 else (socket.AF_INET, socket.SOCK_RAW, 1)))
tag = os.urandom(16)
body = struct.pack('!HH', os.getpid() & 65535, 1) + tag
total = (8 << 8) + sum(struct.unpack('!10H', body))
while total >> 16:
    total = (total & 65535) + (total >> 16)
raw.sendto(struct.pack('!BBH', 128 if is6 else 8, 0, 0 if is6 else ~total & 65535) + body, (address, 0))
deadline = time.monotonic() + float(sys.argv[2])
answer = None
while answer is None and time.monotonic() < deadline:
    raw.settimeout(max(deadline - time.monotonic(), 0.001))
    try:
        packet, peer = raw.recvfrom(65535)
    except TimeoutError:
        break
    message = packet if is6 else packet[(packet[0] & 15) * 4:]
    if tag in message and message[0] not in (8, 128):
        answer = {'type': message[0], 'code': message[1], 'from': peer[0]}
print(json.dumps(answer))
`;

/** An SCTP packet that a pod received. */
export interface CapturedInit {
  readonly client: string;
  readonly port: number;
  /** 1 is INIT. */
  readonly chunk: number;
  readonly intact: boolean;
}

/** Records the SCTP packets that a pod receives, until it is stopped. */
export async function captureInits(
  pod: Namespace,
): Promise<{ readonly captured: readonly CapturedInit[]; stop(): void }> {
  const child = pod.spawn('python3', ['-c', CAPTURE_INITS]);
  const lines = outputLines(child, 'capture-inits');
  await lines.next();
  const captured: CapturedInit[] = [];
  const listen = async () => {
    for await (const line of lines) captured.push(JSON.parse(line));
  };
  // It ends when the program is killed, which is not a failure.
  listen().catch(() => undefined);
  return { captured, stop: () => killGroup(child) };
}

/** Sends `count` SCTP INITs, each of a new flow. */
export async function sendInits(from: Namespace, to: { address: string; port: number; count: number }): Promise<void> {
  await from.output('python3', ['-c', SEND_INITS, to.address, `${to.port}`, `${to.count}`]);
}

export interface EchoAnswer {
  readonly type: number;
  readonly code: number;
  readonly from: string;
}

/** The reply to a ping; `null` if there is none in time. */
export async function ping(from: Namespace, address: string, timeoutMs = 1000): Promise<EchoAnswer | null> {
  return JSON.parse(await from.output('python3', ['-c', ECHO_REQUEST, address, `${timeoutMs / 1000}`]));
}

/** Whether Python, which sends them, is installed. */
export async function canSendRaw(from: Namespace): Promise<boolean> {
  return (await from.exec('python3', ['-c', 'import socket'])).status === 0;
}
