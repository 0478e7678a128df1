/** As a policy document writes it. */
export interface Statement {
  readonly Sid?: string;
  readonly Effect: 'Allow';
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: { readonly StringEquals: Readonly<Record<string, string>> };
}

export interface PolicyDocument {
  readonly Statement: readonly Statement[];
}

const listOf = (value: string | readonly string[]): readonly string[] => (typeof value === 'string' ? [value] : value);

const matches = (pattern: string, text: string): boolean =>
  new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
  ).test(text);

interface Grant {
  readonly action: string;
  readonly statement: Statement;
}

/** What one principal may do, and what of it was done. */
export class Policy {
  readonly #grants: readonly Grant[];
  readonly #used = new Set<Grant>();

  constructor(documents: readonly PolicyDocument[]) {
    const statements = documents.flatMap(({ Statement }) => Statement);
    for (const { Effect, ...rest } of statements) {
      const unknown = Object.keys(rest).find((field) => !['Sid', 'Action', 'Resource', 'Condition'].includes(field));
      if (Effect !== 'Allow' || unknown) throw new Error(`a statement with ${unknown ?? Effect} is not understood`);
    }
    this.#grants = statements.flatMap((statement) => listOf(statement.Action).map((action) => ({ action, statement })));
  }

  allows(action: string, resource: string, context: Readonly<Record<string, string>> = {}): boolean {
    const grant = this.#grants.find(
      ({ action: granted, statement: { Resource, Condition } }) =>
        matches(granted, action) &&
        listOf(Resource).some((pattern) => matches(pattern, resource)) &&
        Object.entries(Condition?.StringEquals ?? {}).every(([name, value]) => context[name] === value),
    );
    if (grant) this.#used.add(grant);
    return grant !== undefined;
  }

  get actions(): string[] {
    return this.#grants.map(({ action }) => action);
  }

  /** Actions granted that nobody has needed so far. */
  get unused(): string[] {
    return this.#grants.filter((grant) => !this.#used.has(grant)).map(({ action }) => action);
  }
}
