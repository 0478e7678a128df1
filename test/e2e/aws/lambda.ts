import { createHash } from 'node:crypto';
import { ACCOUNT, type Account, REGION } from './account.ts';
import { LambdaEnvironment, type Outcome } from './lambda-environment.ts';
import { Refusal } from './refusal.ts';
import { unzip } from './unzip.ts';

export interface FunctionConfig {
  readonly FunctionName: string;
  readonly Handler: string;
  readonly Role: string;
  /** Seconds. */
  readonly Timeout: number;
  readonly Environment?: { readonly Variables?: Readonly<Record<string, string>> };
}

/** Who may invoke a function, beside the identities that their own policies allow to. */
export interface Grant {
  readonly functionName: string;
  readonly action: string;
  readonly principal: string;
  readonly sourceArn?: string;
}

export interface Invoker {
  readonly action: string;
  readonly principal: string;
  /** The route, the rule or the URL that it comes from. */
  readonly sourceArn?: string;
}

interface DeployedFunction {
  config: FunctionConfig;
  files: ReadonlyMap<string, Buffer>;
  codeSha256: string;
  readonly idle: LambdaEnvironment[];
}

export interface LambdaOptions {
  readonly account: Account;
  readonly clock: Float64Array;
  /** PEM of the authority that upstreams here have their certificates from. */
  readonly ca: string;
  /** Variables of every environment, which lead the SDK here. */
  readonly variables: Readonly<Record<string, string>>;
}

export const functionArn = (name: string): string => `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name}`;

/** Octets of a result. */
const LARGEST_RESULT = 6 * 1024 * 1024;

const likeArn = (pattern: string, arn: string): boolean =>
  new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`).test(arn);

/** Functions from archives, in as many environments as are in use at once; what they write is kept by function. */
export class Lambda {
  readonly logs = new Map<string, string[]>();
  readonly grants = new Set<Grant>();
  /** Environments started so far. */
  coldStarts = 0;
  readonly #functions = new Map<string, DeployedFunction>();
  readonly #environments = new Set<LambdaEnvironment>();
  readonly #options: LambdaOptions;

  constructor(options: LambdaOptions) {
    this.#options = options;
  }

  /** New code or configuration retires the environments of before. */
  async put(config: FunctionConfig, archive: Buffer): Promise<void> {
    await this.delete(config.FunctionName);
    const codeSha256 = createHash('sha256').update(archive).digest('base64');
    this.#functions.set(config.FunctionName, { config, files: unzip(archive), codeSha256, idle: [] });
  }

  async delete(name: string): Promise<void> {
    await this.retire(name);
    this.#functions.delete(name);
  }

  /** Ends its environments: the next invocation starts a new one. */
  async retire(name: string): Promise<void> {
    const idle = this.#functions.get(name)?.idle.splice(0) ?? [];
    await Promise.all(idle.map((environment) => this.#end(environment)));
  }

  describe(name: string): { readonly FunctionName: string; readonly CodeSha256: string } {
    return { FunctionName: name, CodeSha256: this.#function(name).codeSha256 };
  }

  /** `authorized`: by a policy of the caller's own. @throws Refusal when no grant lets `invoker` in. */
  async invoke(name: string, event: unknown, invoker: Invoker | 'authorized'): Promise<Outcome> {
    if (invoker !== 'authorized' && !this.#mayInvoke(name, invoker)) {
      throw new Refusal(403, 'AccessDeniedException', `${invoker.principal} may not ${invoker.action} ${name}`);
    }
    const deployed = this.#function(name);
    const environment = deployed.idle.pop() ?? this.#start(deployed);
    const outcome = await environment.invoke(event);
    if (environment.isDead) await this.#end(environment);
    else if (this.#functions.get(name) === deployed) deployed.idle.push(environment);
    else await this.#end(environment);
    const tooLarge = outcome.kind === 'result' && (outcome.result?.length ?? 0) > LARGEST_RESULT;
    return tooLarge ? { kind: 'fault', error: { errorType: 'Function.ResponseSizeTooLarge' } } : outcome;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#environments].map((environment) => this.#end(environment)));
  }

  #function(name: string): DeployedFunction {
    const found = this.#functions.get(name);
    if (!found) throw new Refusal(404, 'ResourceNotFoundException', `Function not found: ${functionArn(name)}`);
    return found;
  }

  #mayInvoke(name: string, { action, principal, sourceArn = '' }: Invoker): boolean {
    return [...this.grants].some(
      (grant) =>
        grant.functionName === name &&
        grant.action === action &&
        (grant.principal === '*' || grant.principal === principal) &&
        (grant.sourceArn === undefined || likeArn(grant.sourceArn, sourceArn)),
    );
  }

  #start({ config, files }: DeployedFunction): LambdaEnvironment {
    const { FunctionName: name, Role, Handler, Timeout, Environment } = config;
    this.coldStarts++;
    const session = this.#options.account.assumeRole(Role, name);
    for (const action of ['logs:CreateLogStream', 'logs:PutLogEvents']) {
      const stream = `log-group:/aws/lambda/${name}:log-stream:1`;
      this.#options.account.isAllowed(session.arn, action, `arn:aws:logs:${REGION}:${ACCOUNT}:${stream}`);
    }
    const lines = this.logs.get(name) ?? [];
    this.logs.set(name, lines);
    const environment = new LambdaEnvironment({
      files,
      handler: Handler,
      timeoutMs: Timeout * 1000,
      clock: this.#options.clock,
      ca: this.#options.ca,
      log: (line) => lines.push(...line.split('\n').filter((part) => part !== '')),
      variables: {
        ...this.#options.variables,
        AWS_REGION: REGION,
        AWS_LAMBDA_FUNCTION_NAME: name,
        AWS_ACCESS_KEY_ID: session.id,
        AWS_SECRET_ACCESS_KEY: session.secret,
        AWS_SESSION_TOKEN: session.sessionToken ?? '',
        TZ: ':UTC',
        ...Environment?.Variables,
      },
    });
    this.#environments.add(environment);
    return environment;
  }

  async #end(environment: LambdaEnvironment): Promise<void> {
    this.#environments.delete(environment);
    await environment.close();
  }
}
