import { clock, endpoints } from './endpoint-findings.ts';
import type { Finding } from './finding.ts';
import type { HostFacts } from './host-facts.ts';
import { meshFindings } from './mesh-findings.ts';
import { captureFindings, resolverFindings } from './resolver-findings.ts';

/** All that is wrong with a host, in the order in which one causes the next. */
export const findingsOf = (facts: HostFacts): readonly Finding[] =>
  [clock, endpoints, captureFindings, resolverFindings, meshFindings].flatMap((check) => [...check(facts)]);
