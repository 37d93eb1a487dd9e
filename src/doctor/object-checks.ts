// Checks the objects that the daemon has received.

import { printable } from '../lib/printable.ts';
import { formatIssue } from '../services/objects/validation-issue.ts';
import { type Check, type DoctorContext, ok, warning } from './check.ts';

const SHOWN = 5;

/** Whether objects have fields that cannot be used, or that harm others. */
export async function checkObjects({ daemon }: DoctorContext): Promise<Check[]> {
  if (daemon.daemon !== 'running') return [];
  const { issues } = daemon.state;
  if (issues.length === 0) return [ok('objects', 'no invalid field')];
  const others = issues.length > SHOWN ? `; and ${issues.length - SHOWN} others` : '';
  const message = `${printable(issues.slice(0, SHOWN).map(formatIssue).join('; '))}${others}`;
  return [warning('objects', message, 'correct the fields; `nftlane inspect services` shows all')];
}
