/**
 * Big-endian reads that never throw: octets past the end read as 0. Callers check the bounds of what they accept;
 * a forgotten check then means a wrong value, not a crash.
 */
export const uint8 = (wire: Uint8Array, offset: number): number => wire[offset] ?? 0;

export const uint16 = (wire: Uint8Array, offset: number): number =>
  ((wire[offset] ?? 0) << 8) | (wire[offset + 1] ?? 0);

export const uint32 = (wire: Uint8Array, offset: number): number =>
  uint16(wire, offset) * 0x1_00_00 + uint16(wire, offset + 2);

/** Octets past the end are none, here as well. */
export function setUint16(wire: Uint8Array, offset: number, value: number): void {
  wire[offset] = value >>> 8;
  wire[offset + 1] = value;
}

/** The same memory as a Buffer, without a copy. */
export const asBuffer = (wire: Uint8Array): Buffer =>
  Buffer.isBuffer(wire) ? wire : Buffer.from(wire.buffer, wire.byteOffset, wire.byteLength);
