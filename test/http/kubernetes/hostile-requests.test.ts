import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALL, COLLECTION, manifest, openTestApi, type TestApi } from './test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openTestApi();
  await api.send('POST', COLLECTION, { body: manifest('auto') });
});
afterAll(() => api.close());

/** Text that comes near what is asked for. */
const near = (...words: string[]) =>
  fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom(...words, ',', '=', '!', '(', ')', ' ', '~', '/'), { maxLength: 12 })
      .map((parts) => parts.join('')),
  );

const PATHS = fc.oneof(
  near('/spec', '/metadata', '/labels', '/-', '/0', '/hosts', '/__proto__', '/constructor', '/toString', '/length'),
  fc.string(),
);
const OPERATION = fc.record(
  {
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'toString'),
    path: PATHS,
    from: PATHS,
    value: fc.jsonValue(),
  },
  { requiredKeys: ['op'] },
);

describe('whatever a client sends', () => {
  it('as a query of a list is answered or refused', async () => {
    const query = fc.record(
      {
        labelSelector: near('app', 'in', 'notin', 'example.org/x'),
        fieldSelector: near('metadata.name', 'metadata.namespace', '==', '!='),
        limit: fc.oneof(fc.string(), fc.integer().map(String)),
        continue: fc.oneof(
          fc.string(),
          fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value)).toString('base64url')),
        ),
        resourceVersion: fc.string(),
        resourceVersionMatch: fc.constantFrom('', 'Exact', 'NotOlderThan', 'x'),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(query, async (fields) => {
        const { status, body } = await api.send('GET', `${ALL}?${new URLSearchParams(fields)}`);
        expect([200, 400, 410]).toContain(status);
        expect(body.kind).toBe(status === 200 ? 'ServiceEntryList' : 'Status');
      }),
      { numRuns: 300 },
    );
    expect(api.faults).toEqual([]);
  });

  it.each<[string, fc.Arbitrary<unknown>]>([
    ['application/json-patch+json', fc.oneof(fc.array(OPERATION, { maxLength: 5 }), fc.jsonValue())],
    ['application/merge-patch+json', fc.jsonValue()],
    ['application/apply-patch+yaml', fc.oneof(fc.jsonValue(), fc.string())],
  ])('as %s is applied or refused', async (type, patches) => {
    const validation = fc.constantFrom('Ignore', 'Warn', 'Strict');
    await fc.assert(
      fc.asyncProperty(patches, validation, async (body, fieldValidation) => {
        const target = `${COLLECTION}/auto?dryRun=All&fieldValidation=${fieldValidation}`;
        const { status } = await api.send('PATCH', target, { body, type });
        expect([200, 400, 409, 422]).toContain(status);
      }),
      { numRuns: 300 },
    );
    expect(api.faults).toEqual([]);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  const LONG = 'a'.repeat(3000);
  it.each<[string, string, number]>([
    ['GET', `${COLLECTION}/${LONG}`, 404],
    ['DELETE', `${COLLECTION}/${LONG}`, 404],
    ['GET', `${COLLECTION.replace('default', LONG)}/a`, 404],
    ['GET', COLLECTION.replace('default', LONG), 200],
    ['GET', `${COLLECTION}?fieldSelector=metadata.name%3D${LONG}`, 200],
    ['DELETE', `${COLLECTION}?fieldSelector=metadata.name%3D${LONG}`, 200],
    ['GET', `${COLLECTION}/a%2Fb`, 404],
    ['GET', `${COLLECTION}/%00`, 404],
  ])('in a name, %#, is answered with what there is', async (method, target, code) => {
    expect((await api.send(method, target)).status).toBe(code);
    expect(api.faults).toEqual([]);
  });

  it('as a body that is deep, or long, is refused', async () => {
    const deep = '['.repeat(100_000);
    expect(
      (await api.send('PATCH', `${COLLECTION}/auto`, { body: deep, type: 'application/merge-patch+json' })).status,
    ).toBe(400);
    const long = `{"a":"${'x'.repeat(1024 * 1024)}"}`;
    expect((await api.send('POST', COLLECTION, { body: long })).status).toBe(413);
  });
});
