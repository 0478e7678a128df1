import type { VipListener } from './listeners.ts';
import { slotsOf } from './slots.ts';
import type { FamilyTargets, Target, WeightedTarget } from './targets.ts';

/** The sets and maps that change while the rules stay as they are. */
export const VARIABLES = ['listeners4', 'listeners6', 'one4', 'one6', 'many4', 'many6'] as const;
export type Variable = (typeof VARIABLES)[number];

/** One member of a set (without a value) or of a map, as nft writes them. */
export interface Element {
  readonly variable: Variable;
  readonly key: string;
  readonly value?: string;
}

const targetText = ({ address, port }: Target): string => `${address} . ${port}`;

const keyOf = (vip: string, { transport, port }: VipListener): string => `${vip} . ${transport} . ${port}`;

function familyElements(family: 4 | 6, key: string, targets: readonly WeightedTarget[]): Element[] {
  const [only, another] = targets;
  if (only === undefined) return [];
  const counted: Element = { variable: `listeners${family}`, key };
  if (another === undefined) return [counted, { variable: `one${family}`, key, value: targetText(only) }];
  return [
    counted,
    ...slotsOf(targets).map((target, slot) => ({
      variable: `many${family}` as const,
      key: `${key} . ${slot}`,
      value: targetText(target),
    })),
  ];
}

/** What makes connections to one listener go to its targets. Without targets nothing: they are refused. */
export const elementsOf = (listener: VipListener, { ipv4, ipv6 }: FamilyTargets): Element[] => [
  ...familyElements(4, keyOf(listener.ipv4, listener), ipv4),
  ...familyElements(6, keyOf(listener.ipv6, listener), ipv6),
];

export interface ElementChanges {
  readonly removed: readonly Element[];
  readonly added: readonly Element[];
}

const identity = ({ variable, key, value }: Element): string => `${variable} ${key} ${value}`;

/** An element whose value changes is removed and added; one that stays keeps its counter. */
export function changesBetween(before: readonly Element[], after: readonly Element[]): ElementChanges {
  const held = new Set(before.map(identity));
  const wanted = new Set(after.map(identity));
  return {
    removed: before.filter((element) => !wanted.has(identity(element))),
    added: after.filter((element) => !held.has(identity(element))),
  };
}

const member = ({ key, value }: Element): string => (value === undefined ? key : `${key} : ${value}`);

/** Above it, nft reads a line slower than several. */
const MEMBERS_A_COMMAND = 5000;

export function addCommands(table: string, elements: readonly Element[]): string[] {
  return commands(`add element ${table}`, elements, member);
}

/** As one transaction, so that no connection meets half of a change. */
export function changeCommands(table: string, { removed, added }: ElementChanges): string[] {
  return [...commands(`delete element ${table}`, removed, ({ key }) => key), ...addCommands(table, added)];
}

function commands(verb: string, elements: readonly Element[], text: (element: Element) => string): string[] {
  return VARIABLES.flatMap((variable) => {
    const members = elements.filter((element) => element.variable === variable).map(text);
    const lines: string[] = [];
    for (let at = 0; at < members.length; at += MEMBERS_A_COMMAND) {
      lines.push(`${verb} ${variable} { ${members.slice(at, at + MEMBERS_A_COMMAND).join(', ')} }`);
    }
    return lines;
  });
}

/** A flow that conntrack keeps on its target. */
export interface UdpFlow {
  readonly vip: string;
  readonly port: string;
  readonly target: string;
}

/** The parts of a map's element; the slot does not matter. */
export function partsOf({ key, value = '' }: Element) {
  const [vip = '', transport = '', port = ''] = key.split(' . ');
  const [target = '', targetPort = ''] = value.split(' . ');
  return { vip, transport, port, target, targetPort };
}

/** UDP flows to targets that are none any more: their datagrams would go there until the flow is forgotten. */
export function endedUdpFlows(before: readonly Element[], after: readonly Element[]): UdpFlow[] {
  const kept = new Set(udpFlows(after).keys());
  return [...udpFlows(before)].flatMap(([text, flow]) => (kept.has(text) ? [] : [flow]));
}

function udpFlows(elements: readonly Element[]): Map<string, UdpFlow> {
  const flows = new Map<string, UdpFlow>();
  for (const element of elements) {
    const { vip, transport, port, target } = partsOf(element);
    if (transport === 'udp' && element.value !== undefined)
      flows.set(`${vip} ${port} ${element.value}`, { vip, port, target });
  }
  return flows;
}
