// The whole table.
import { CONNTRACK } from './conntrack.ts';
import { ENDPOINTS } from './endpoints.ts';
import { PACKETS } from './packets.ts';
import { SERVICES } from './services.ts';
import type { Section } from './statement.ts';
import { TOPOLOGY } from './topology.ts';

export const SECTIONS: readonly Section[] = [SERVICES, ENDPOINTS, TOPOLOGY, PACKETS, CONNTRACK];
