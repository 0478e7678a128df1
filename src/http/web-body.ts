/** A body up to one octet over `limit` or a little more, so that whatever is longer is seen to be without being kept. */
export async function readWebBody(body: ReadableStream<Uint8Array> | null, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  if (body) {
    for await (const chunk of body) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > limit) break;
    }
  }
  return Buffer.concat(chunks);
}
