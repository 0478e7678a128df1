import { clock, endpoints } from './endpoint-findings.ts';
import type { Check, Finding } from './finding.ts';
import type { HostFacts } from './host-facts.ts';
import { dnssec, failedVips, localNames, missingNft, singleLabels, vipRoutes } from './mesh-findings.ts';
import {
  docker,
  loop,
  noOriginal,
  notCaptured,
  nssResolve,
  resolvedDomains,
  secondResolver,
  silence,
} from './resolver-findings.ts';

/** In the order in which one causes the next. */
const CHECKS: readonly Check[] = [
  clock,
  endpoints,
  silence,
  loop,
  notCaptured,
  secondResolver,
  noOriginal,
  resolvedDomains,
  nssResolve,
  docker,
  dnssec,
  localNames,
  singleLabels,
  missingNft,
  vipRoutes,
  failedVips,
];

/** All that is wrong with a host, worst causes first. */
export const findingsOf = (facts: HostFacts): readonly Finding[] => CHECKS.flatMap((check) => check(facts));
