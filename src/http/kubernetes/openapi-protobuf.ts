import type { OpenApiV2, Operation, Schema } from './openapi.ts';

// The protobuf form of an OpenAPI 2.0 document, as gnostic defines it (OpenAPIv2.proto, package openapi.v2): the fields
// that the documents here have. Another one is a fault of the program.

const VARINT = 0;
const DELIMITED = 2;

/** A whole number in groups of seven bits, the lowest first. */
function varint(value: number): Buffer {
  const octets: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) octets.push((rest & 0x7f) | 0x80);
  return Buffer.from([...octets, rest]);
}

const tag = (field: number, wireType: number): Buffer => varint((field << 3) | wireType);

const within = (field: number, content: Buffer): Buffer =>
  Buffer.concat([tag(field, DELIMITED), varint(content.length), content]);

const text = (field: number, value: string): Buffer => within(field, Buffer.from(value));
const texts = (field: number, values: readonly string[]): Buffer => each(values, (value) => text(field, value));
const flag = (field: number, value: boolean): Buffer => Buffer.concat([tag(field, VARINT), varint(value ? 1 : 0)]);

/** `Any`, which holds YAML; JSON is YAML. */
const any = (field: number, value: unknown): Buffer => within(field, text(2, JSON.stringify(value)));

const each = <T>(values: readonly T[], encode: (value: T) => Buffer): Buffer => Buffer.concat(values.map(encode));

/** A map: repeated pairs of name and value. */
const map = <T>(field: number, values: Readonly<Record<string, T>>, encode: (value: T) => Buffer): Buffer =>
  each(Object.entries(values), ([name, value]) =>
    within(field, Buffer.concat([text(1, name), within(2, encode(value))])),
  );

const extension = (field: number, name: string, value: unknown): Buffer =>
  within(field, Buffer.concat([text(1, name), any(2, value)]));

type Encoders = Readonly<Record<string, (value: never) => Buffer>>;

function message(value: object, encoders: Encoders, extensions: number): Buffer {
  return each(Object.entries(value), ([name, field]) => {
    if (name.startsWith('x-')) return extension(extensions, name, field);
    const encode = encoders[name];
    if (!encode) throw new Error(`no protobuf field is known for ${JSON.stringify(name)}`);
    return encode(field as never);
  });
}

const SCHEMA: Encoders = {
  $ref: (value: string) => text(1, value),
  format: (value: string) => text(2, value),
  description: (value: string) => text(4, value),
  required: (value: readonly string[]) => texts(19, value),
  enum: (value: readonly string[]) => each(value, (one) => any(20, one)),
  additionalProperties: (value: Schema) => within(21, within(1, schema(value))),
  type: (value: string) => within(22, text(1, value)),
  items: (value: Schema) => within(23, within(1, schema(value))),
  properties: (value: Readonly<Record<string, Schema>>) => within(25, map(1, value, schema)),
};
const schema = (value: Schema): Buffer => message(value, SCHEMA, 31);

const QUERY_PARAMETER: Encoders = {
  in: (value: string) => text(2, value),
  description: (value: string) => text(3, value),
  name: (value: string) => text(4, value),
  type: (value: string) => text(6, value),
  uniqueItems: (value: boolean) => flag(20, value),
};
/** ParametersItem → Parameter → NonBodyParameter → QueryParameterSubSchema. */
const parameter = (value: object): Buffer => within(1, within(2, within(3, message(value, QUERY_PARAMETER, 23))));

const response = ({ description }: { readonly description: string }): Buffer => within(1, text(1, description));

const OPERATION: Encoders = {
  operationId: (value: string) => text(5, value),
  parameters: (value: readonly object[]) => each(value, (one) => within(8, parameter(one))),
  responses: (value: Readonly<Record<string, { description: string }>>) => within(9, map(1, value, response)),
};
const operation = (value: Operation): Buffer => message(value, OPERATION, 13);

const PATH_ITEM: Encoders = {
  put: (value: Operation) => within(3, operation(value)),
  post: (value: Operation) => within(4, operation(value)),
  patch: (value: Operation) => within(8, operation(value)),
};

const INFO: Encoders = {
  title: (value: string) => text(1, value),
  version: (value: string) => text(2, value),
};

const DOCUMENT: Encoders = {
  swagger: (value: string) => text(1, value),
  info: (value: object) => within(2, message(value, INFO, 7)),
  paths: (value: Readonly<Record<string, object>>) =>
    within(
      8,
      map(2, value, (item) => message(item, PATH_ITEM, 10)),
    ),
  definitions: (value: Readonly<Record<string, Schema>>) => within(9, map(1, value, schema)),
};

/** What `application/com.github.proto-openapi.spec.v2@v1.0+protobuf` says. */
export const encodeOpenApiV2 = (document: OpenApiV2): Uint8Array<ArrayBuffer> =>
  new Uint8Array(message(document, DOCUMENT, 16));
