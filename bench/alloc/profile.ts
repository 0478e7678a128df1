import { figure, printTable } from '../measure/report.ts';

/** The parts of V8's `.cpuprofile` that are read here. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

type Frame = Profile['nodes'][number]['callFrame'];

/** Whose code it is: a folder of ours, a package, or the runtime. */
function ownerOf({ functionName, url }: Frame): string {
  const [, scopedPackage] = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(url) ?? [];
  const [, folder] = /\/(src\/[^/]+)\//.exec(url) ?? [];
  if (scopedPackage) return scopedPackage;
  if (folder) return folder;
  if (url.startsWith('node:')) return url.replace(/^(node:(?:internal\/)?[^/]+).*/, '$1');
  return functionName.startsWith('(') ? functionName : '(native)';
}

interface Time {
  readonly self: number;
  readonly total: number;
}

/** Milliseconds by what `nameOf` calls a frame: at the top of the stack, and anywhere on it. */
function timesOf({ nodes, samples, timeDeltas }: Profile, nameOf: (frame: Frame) => string): [string, Time][] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const self = new Map<string, number>();
  const total = new Map<string, number>();
  for (const [i, sample] of samples.entries()) {
    const ms = (timeDeltas[i] ?? 0) / 1000;
    const stack = new Set<string>();
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) stack.add(names.get(id) ?? '');
    const [top = ''] = stack;
    self.set(top, (self.get(top) ?? 0) + ms);
    for (const name of stack) total.set(name, (total.get(name) ?? 0) + ms);
  }
  return [...total].map(([name, ms]) => [name, { self: self.get(name) ?? 0, total: ms }]);
}

function printTimes(title: string, times: readonly [string, Time][], most: number, work: number): void {
  const busy = times.filter(([name]) => !name.includes('(idle)') && !name.includes('(root)'));
  const sum = busy.reduce((ms, [, { self }]) => ms + self, 0);
  printTable(
    title,
    ['', 'self, ms each', 'self, %', 'on the stack, ms each'],
    busy
      .toSorted(([, a], [, b]) => b.self - a.self)
      .slice(0, most)
      .map(([name, { self, total }]) => [name, figure(self / work), figure((100 * self) / sum), figure(total / work)]),
  );
}

/** What takes most of a CPU profile, per piece of work done. */
export function printProfile(text: string, work: number): void {
  const profile = JSON.parse(text) as Profile;
  printTimes('CPU by package and folder', timesOf(profile, ownerOf), 15, work);
  const functionOf = (frame: Frame) => `${ownerOf(frame)} ${frame.functionName || '(anonymous)'}`;
  printTimes('CPU by function', timesOf(profile, functionOf), 20, work);
}
