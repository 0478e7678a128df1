import type { Argument, Command, Option } from 'commander';

type Options = Readonly<Record<string, string>>;

/** What only a server knows. */
export interface NameSource {
  entries(options: Options): Promise<readonly string[]>;
  hosts(options: Options): Promise<readonly string[]>;
  namespaces(options: Options): Promise<readonly string[]>;
}

const KIND = 'serviceentries';
const TYPES = ['A', 'AAAA', 'ANY', 'HTTPS', 'MX', 'NS', 'PTR', 'SOA', 'SRV', 'TXT'];

/** Where a value is given as `--option=value`, shells make a word of the sign, or of all of it. */
const separated = (words: readonly string[]): string[] =>
  words.flatMap((word) => {
    const assigned = /^(--[\w-]+)=(.*)$/s.exec(word);
    return assigned ? [assigned[1] ?? '', assigned[2] ?? ''] : word === '=' ? [] : [word];
  });

/** What the words before the one at the cursor say. */
class Position {
  command: Command;
  /** Operands of the command so far. */
  readonly operands: string[] = [];
  /** The option whose value stands next. */
  option: Option | undefined;
  /** Values of options, by attribute. */
  readonly options: Record<string, string> = {};
  /** After `--` there are no options. */
  operandsOnly = false;

  constructor(root: Command) {
    this.command = root;
  }

  take(word: string): void {
    if (this.option) {
      this.options[this.option.attributeName()] = word;
      this.option = undefined;
    } else if (this.operandsOnly || !word.startsWith('-')) this.#takeOperand(word);
    else if (word === '--') this.operandsOnly = true;
    else this.#takeOption(word);
  }

  #takeOption(word: string): void {
    const option = this.command.options.find(({ short, long }) => short === word || long === word);
    if (option?.required) this.option = option;
    else if (option) this.options[option.attributeName()] = 'true';
  }

  #takeOperand(word: string): void {
    const below = this.operands.length === 0 && this.command.commands.find((one) => one.name() === word);
    if (below) this.command = below;
    else this.operands.push(word);
  }
}

function positionAfter(root: Command, words: readonly string[]): Position {
  const position = new Position(root);
  for (const word of words) position.take(word);
  return position;
}

const isHidden = (command: Command): boolean => command.name().startsWith('__');

const flagsOf = (command: Command): string[] =>
  [...command.options.filter(({ hidden }) => !hidden).map(({ long, short }) => long ?? short ?? ''), '--help'].sort();

async function valuesOf({ option, options }: Position, names: NameSource): Promise<readonly string[]> {
  if (option?.argChoices) return option.argChoices;
  return option?.attributeName() === 'namespace' ? names.namespaces(options) : [];
}

const argumentAt = ({ command, operands }: Position): Argument | undefined => {
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  return registeredArguments[operands.length] ?? (last?.variadic ? last : undefined);
};

/** By the name of the argument: each stands for one kind of thing in every verb. */
async function operandsOf(position: Position, names: NameSource): Promise<readonly string[]> {
  const { command, operands, options } = position;
  if (command.commands.length > 0) return command.commands.filter((one) => !isHidden(one)).map((one) => one.name());
  const argument = argumentAt(position);
  if (argument?.argChoices) return argument.argChoices;
  switch (argument?.name()) {
    case 'names': {
      const entries = await names.entries(options);
      return operands.length === 0 ? [KIND, ...entries] : entries.filter((name) => !operands.includes(name));
    }
    case 'name':
      return names.hosts(options);
    case 'type':
      return TYPES;
    default:
      return [];
  }
}

function candidates(position: Position, partial: string, names: NameSource): Promise<readonly string[]> {
  if (position.option) return valuesOf(position, names);
  const isFlag = partial.startsWith('-') && !position.operandsOnly;
  return isFlag ? Promise.resolve(flagsOf(position.command)) : operandsOf(position, names);
}

/** What can stand at the cursor, which is at the end of the last word; nothing where files are meant. */
export async function suggestionsFor(root: Command, typed: readonly string[], names: NameSource): Promise<string[]> {
  const last = typed.at(-1) ?? '';
  const words = separated(typed);
  // A sign at the cursor: the value after it has no letter yet.
  if (last === '=') words.push('');
  const partial = words.at(-1) ?? '';
  const found = await candidates(positionAfter(root, words.slice(0, -1)), partial, names);
  const prefix = /^--[\w-]+=/.exec(last)?.[0] ?? '';
  return [...new Set(found)].filter((word) => word.startsWith(partial)).map((word) => prefix + word);
}
