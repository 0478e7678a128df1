import { isLoopback } from '../capture/resolver-plan.ts';
import { PATIENT_MS, selfCheck } from '../capture/self-check.ts';
import type { Command } from '../command.ts';
import { socketText } from '../socket-address.ts';
import { collectFacts } from './collect.ts';
import type { Finding } from './finding.ts';
import { findingsOf } from './findings.ts';
import { reachesShim } from './os-canary.ts';
import { runningVips } from './running-vips.ts';

const MARK = { on: 'ok     ', off: 'no     ', failed: 'FAILED ' } as const;

/**
 * Whether names of this host come to the shim: asked as any program asks, not of the process; which says whether it
 * carries virtual IPs. 1 if one should be and is not.
 */
export const status: Command = async (settings, io) => {
  const loopback = settings.listen.filter(isLoopback);
  const [answers, captured, vips] = await Promise.all([
    selfCheck(loopback, PATIENT_MS),
    reachesShim(),
    runningVips(settings),
  ]);
  const ok = answers && (captured || settings.capture === 'none') && vips?.kind !== 'failed';
  const at = loopback.map(socketText);
  const lines = [
    `${MARK[answers ? 'on' : 'failed']} the shim answers at ${at.join(' and ')}, over UDP and TCP`,
    `${MARK[captured ? 'on' : settings.capture === 'none' ? 'off' : 'failed']} programs of this host ask it (capture: ${settings.capture})`,
    ...(vips === undefined ? [] : [`${MARK[vips.kind]} virtual IPs are carried (vips: ${settings.vips})`]),
    ...(ok ? [] : ['"meshdoh-shim doctor" finds out why.']),
  ];
  io.stdout.write(
    io.options.json
      ? json({ answers, captured, capture: settings.capture, listen: at, vips })
      : `${lines.join('\n')}\n`,
  );
  return ok ? 0 : 1;
};

/** Everything that is in the way, and what to do about each. 1 if there is a problem; warnings are none. */
export const doctor: Command = async (settings, io) => {
  const findings = findingsOf(await collectFacts(settings));
  io.stdout.write(io.options.json ? json({ findings }) : findingsText(findings));
  return findings.some(({ level }) => level === 'problem') ? 1 : 0;
};

const findingsText = (findings: readonly Finding[]): string =>
  findings.length === 0
    ? 'nothing found: DNS of this host is as it should be\n'
    : findings.map(({ id, level, what, remedy }) => `${level} ${id}: ${what}\n  do: ${remedy}\n`).join('');

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
