/** What a service refuses, in the words of its protocol. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const accessDenied = (arn: string, action: string, resource: string): Refusal =>
  new Refusal(
    403,
    'AccessDenied',
    `User: ${arn} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the action`,
  );
