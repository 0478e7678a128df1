import { ACCOUNT, REGION } from './account.ts';

export interface TemplateResource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly Condition?: string;
  readonly DependsOn?: string | readonly string[];
  readonly DeletionPolicy?: 'Delete' | 'Retain';
  readonly UpdateReplacePolicy?: 'Delete' | 'Retain';
}

export interface Template {
  readonly Resources: Readonly<Record<string, TemplateResource>>;
  readonly Conditions?: Readonly<Record<string, unknown>>;
  readonly Outputs?: Readonly<Record<string, { readonly Value: unknown }>>;
}

/** What a resource is known by once it exists. */
export interface Made {
  /** What `Ref` gives. */
  readonly ref: string;
  /** What `Fn::GetAtt` gives. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** The template says what CloudFormation would refuse. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

const PSEUDO: Readonly<Record<string, string>> = {
  'AWS::Region': REGION,
  'AWS::AccountId': ACCOUNT,
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
};

const SECTIONS = new Set(['AWSTemplateFormatVersion', 'Description', 'Resources', 'Conditions', 'Outputs']);
const RESOURCE_FIELDS = new Set([
  'Type',
  'Properties',
  'Condition',
  'DependsOn',
  'DeletionPolicy',
  'UpdateReplacePolicy',
]);

/** `AWS::NoValue`: the property that holds it is not there. */
const NO_VALUE = Symbol('AWS::NoValue');

type Functions = Readonly<Record<string, (argument: unknown) => Promise<unknown>>>;

function pairOf(argument: unknown, name: string): readonly [unknown, unknown] {
  if (!Array.isArray(argument) || argument.length !== 2) throw new TemplateError(`${name} takes a list of two`);
  return argument as unknown as readonly [unknown, unknown];
}

/** Evaluates values of one template; whatever it cannot resolve ends the deployment. */
export class Evaluation {
  readonly #template: Template;
  readonly #stackName: string;
  readonly #make: (logicalId: string) => Promise<Made>;
  readonly #functions: Functions;

  /** `make` brings a resource about, once, when something refers to it. */
  constructor(template: Template, stackName: string, make: (logicalId: string) => Promise<Made>) {
    this.#template = template;
    this.#stackName = stackName;
    this.#make = make;
    this.#functions = {
      Ref: (argument) => this.#ref(String(argument)),
      'Fn::GetAtt': (argument) => this.#getAtt(argument),
      'Fn::Join': async (argument) => {
        const [separator, parts] = pairOf(argument, 'Fn::Join');
        return ((await this.value(parts)) as string[]).join(String(separator));
      },
      'Fn::Sub': (argument) => this.#sub(argument),
      'Fn::If': async (argument) => {
        const [condition, yes, no] = argument as [string, unknown, unknown];
        return this.value((await this.holds(condition)) ? yes : no);
      },
      'Fn::Equals': async (argument) => {
        const [a, b] = pairOf(await this.value(argument), 'Fn::Equals');
        return a === b;
      },
      'Fn::Not': async (argument) => !(await this.value((argument as unknown[])[0])),
      Condition: (argument) => this.holds(String(argument)),
    };
    const strange = Object.keys(template).find((section) => !SECTIONS.has(section));
    if (strange) throw new TemplateError(`the section ${strange} is not understood`);
    for (const [logicalId, resource] of Object.entries(template.Resources)) {
      const field = Object.keys(resource).find((name) => !RESOURCE_FIELDS.has(name));
      if (field) throw new TemplateError(`${logicalId}: ${field} is not understood`);
    }
  }

  async holds(condition: string): Promise<boolean> {
    const expression = this.#template.Conditions?.[condition];
    if (expression === undefined) throw new TemplateError(`there is no condition ${condition}`);
    return Boolean(await this.value(expression));
  }

  async value(value: unknown): Promise<unknown> {
    if (Array.isArray(value)) {
      const items = await Promise.all(value.map((item) => this.value(item)));
      return items.filter((item) => item !== NO_VALUE);
    }
    if (typeof value !== 'object' || value === null) return value;
    const [[name, argument] = ['', undefined], ...more] = Object.entries(value);
    if (more.length === 0 && (name === 'Ref' || name === 'Condition' || name.startsWith('Fn::'))) {
      const known = this.#functions[name];
      // A policy statement has a `Condition` of its own, which is a mapping.
      if (!(name === 'Condition' && typeof argument !== 'string')) {
        if (!known) throw new TemplateError(`the function ${name} is not understood`);
        return known(argument);
      }
    }
    const entries = await Promise.all(Object.entries(value).map(async ([key, one]) => [key, await this.value(one)]));
    return Object.fromEntries(entries.filter(([, one]) => one !== NO_VALUE));
  }

  async #existing(logicalId: string): Promise<Made> {
    const resource = this.#template.Resources[logicalId];
    if (!resource) throw new TemplateError(`Unresolved resource dependencies [${logicalId}]`);
    if (resource.Condition !== undefined && !(await this.holds(resource.Condition))) {
      throw new TemplateError(`${logicalId} is referred to, and its condition ${resource.Condition} does not hold`);
    }
    return this.#make(logicalId);
  }

  async #ref(name: string): Promise<unknown> {
    if (name === 'AWS::NoValue') return NO_VALUE;
    if (name === 'AWS::StackName') return this.#stackName;
    return PSEUDO[name] ?? (await this.#existing(name)).ref;
  }

  async #getAtt(argument: unknown): Promise<string> {
    const [logicalId = '', ...path] = Array.isArray(argument) ? argument : String(argument).split('.');
    const attribute = path.join('.');
    const value = (await this.#existing(logicalId)).attributes[attribute];
    if (value === undefined) throw new TemplateError(`${logicalId} has no attribute ${attribute}`);
    return value;
  }

  async #sub(argument: unknown): Promise<string> {
    const [text, given] = (Array.isArray(argument) ? argument : [argument, {}]) as [string, Record<string, unknown>];
    const variables = (await this.value(given)) as Record<string, unknown>;
    const parts = text.split(/\$\{([^}]+)\}/);
    const resolved = parts.map((part, index) => {
      if (index % 2 === 0) return part;
      if (part.startsWith('!')) return `\${${part.slice(1)}}`;
      if (part in variables) return variables[part];
      return part.includes('.') ? this.#getAtt(part) : this.#ref(part);
    });
    return (await Promise.all(resolved)).map(String).join('');
  }
}
