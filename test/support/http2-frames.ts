/** Frames of RFC 9113 section 6, for clients that no library would be. */
export const FrameType = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const Flag = { endStream: 0x01, ack: 0x01, endHeaders: 0x04 } as const;

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** RFC 7541 section 6.2.2: a literal that is not indexed, whose name is in the static table. */
function literal(nameIndex: number, value: string): Buffer {
  const octets = Buffer.from(value);
  if (octets.length > 126) throw new RangeError('a value of one length octet');
  return Buffer.concat([Buffer.of(nameIndex, octets.length), octets]);
}

const [METHOD_GET, METHOD_POST, SCHEME_HTTPS] = [0x82, 0x83, 0x87];

export const headerBlock = (target: string, method: 'GET' | 'POST' = 'GET'): Buffer =>
  Buffer.concat([
    Buffer.of(method === 'GET' ? METHOD_GET : METHOD_POST, SCHEME_HTTPS),
    literal(4, target),
    literal(1, 'localhost'),
  ]);

/** What a client says first, with no settings of its own. */
export const PREFACE = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  frame(FrameType.settings, 0, 0),
]);
