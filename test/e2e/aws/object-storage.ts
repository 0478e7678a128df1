import { Refusal } from './refusal.ts';
import type { Reply, ServiceCall } from './service.ts';
import { toXml } from './xml.ts';

type Demand = (action: string, resource: string) => void;

interface StoredObject {
  readonly body: Buffer;
  /** `x-amz-meta-…` */
  readonly metadata: Readonly<Record<string, string>>;
}

type Objects = Map<string, StoredObject>;

const xml = (name: string, content: object): Reply => ({
  status: 200,
  headers: { 'content-type': 'application/xml' },
  body: `<${name}>${toXml(content)}</${name}>`,
});
const nothing = (headers: Record<string, string> = {}): Reply => ({ status: 200, headers, body: '' });

/** What a body in `aws-chunked` holds: chunks with their sizes, then trailers. */
function withoutChunks(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.toString('latin1', at, end), 16);
    if (!(size > 0)) return Buffer.concat(parts);
    parts.push(body.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}

/** S3, as far as artefacts of a deployment need it: buckets in memory, addressed by path. */
export class ObjectStorage {
  readonly #buckets = new Map<string, Objects>();

  createBucket(name: string): void {
    if (!this.#buckets.has(name)) this.#buckets.set(name, new Map());
  }

  deleteBucket(name: string): void {
    if (this.bucket(name).size > 0) throw new Refusal(409, 'BucketNotEmpty', `the bucket ${name} is not empty`);
    this.#buckets.delete(name);
  }

  bucket(name: string): Objects {
    const bucket = this.#buckets.get(name);
    if (!bucket) throw new Refusal(404, 'NoSuchBucket', `there is no bucket ${name}`);
    return bucket;
  }

  object(bucket: string, key: string): Buffer {
    return this.#stored(bucket, key).body;
  }

  #stored(bucket: string, key: string): StoredObject {
    const object = this.bucket(bucket).get(key);
    if (!object) throw new Refusal(404, 'NoSuchKey', `there is no object ${key} in ${bucket}`);
    return object;
  }

  answer({ request, demand }: ServiceCall): Reply {
    const { pathname, searchParams } = new URL(request.target, 'http://s3');
    const [, bucket = '', ...rest] = pathname.split('/');
    const key = decodeURIComponent(rest.join('/'));
    if (key !== '') return this.#answerObject(request, bucket, key, demand);
    const of = (action: string) => demand(`s3:${action}`, `arn:aws:s3:::${bucket}`);
    if (request.method === 'HEAD') {
      of('ListBucket');
      this.bucket(bucket);
      return nothing();
    }
    if (request.method === 'GET' && searchParams.has('list-type')) {
      of('ListBucket');
      return this.#list(bucket, searchParams.get('prefix') ?? '');
    }
    if (request.method === 'POST' && searchParams.has('delete')) return this.#delete(bucket, request.body, demand);
    throw new Refusal(501, 'NotImplemented', `${request.method} ${request.target}`);
  }

  #answerObject({ method, headers, body }: ServiceCall['request'], bucket: string, key: string, demand: Demand): Reply {
    const arn = `arn:aws:s3:::${bucket}/${key}`;
    if (method === 'PUT') {
      demand('s3:PutObject', arn);
      const chunked = /aws-chunked/.test(String(headers['content-encoding'] ?? ''));
      const metadata = Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-'));
      this.bucket(bucket).set(key, {
        body: chunked ? withoutChunks(body) : body,
        metadata: Object.fromEntries(metadata) as Record<string, string>,
      });
      return nothing({ etag: '"1"' });
    }
    if (method !== 'GET' && method !== 'HEAD') throw new Refusal(501, 'NotImplemented', `${method} of an object`);
    demand('s3:GetObject', arn);
    const { body: content, metadata } = this.#stored(bucket, key);
    return { status: 200, headers: metadata, body: content };
  }

  #list(bucket: string, prefix: string): Reply {
    const listed = [...this.bucket(bucket)].filter(([key]) => key.startsWith(prefix));
    const contents = listed.map(([Key, object]) =>
      toXml({ Contents: { Key, LastModified: new Date(0).toISOString(), ETag: '"1"', Size: object.body.length } }),
    );
    const body = `<ListBucketResult><IsTruncated>false</IsTruncated>${contents.join('')}</ListBucketResult>`;
    return { status: 200, headers: { 'content-type': 'application/xml' }, body };
  }

  #delete(bucket: string, body: Buffer, demand: Demand): Reply {
    for (const [, key = ''] of body.toString().matchAll(/<Key>([^<]+)<\/Key>/g)) {
      demand('s3:DeleteObject', `arn:aws:s3:::${bucket}/${key}`);
      this.bucket(bucket).delete(key);
    }
    return xml('DeleteResult', {});
  }
}
