/**
 * The etag that Moray gives to a value that is put: CRC-32 of its JSON text, of which only the low 8 bits of each UTF-16
 * unit count, as 8 upper-case hex digits. Source: spec 02 §2.4.2.
 */
export function etagOf(value: object): string {
  // Once more through the parser: Moray computes it of what it has parsed, where integer-like names come first.
  const text = JSON.stringify(JSON.parse(JSON.stringify(value)));
  return crc32(Buffer.from(text, 'latin1')).toString(16).toUpperCase().padStart(8, '0');
}

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
  return remainder >>> 0;
});

function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}
