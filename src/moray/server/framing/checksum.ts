/**
 * The checksums of the protocol and of etags. Two of them are fed the low 8 bits of each UTF-16 code unit of a text
 * rather than its bytes, as the first implementation did; for ASCII there is no difference.
 */

/** CRC-16/XMODEM over low bytes of UTF-16 units: frames of version 1. */
export function crc16Text(text: string): number {
  let crc = 0;
  for (let index = 0; index < text.length; index++) {
    crc = ((crc << 8) & 0xffff) ^ (xmodem[((crc >> 8) ^ text.charCodeAt(index)) & 0xff] ?? 0);
  }
  return crc;
}

/** CRC-16/ARC over bytes: frames of version 2. */
export function crc16Bytes(bytes: Uint8Array): number {
  let crc = 0;
  for (let index = 0; index < bytes.length; index++) {
    crc = (crc >> 8) ^ (arc[(crc ^ (bytes[index] ?? 0)) & 0xff] ?? 0);
  }
  return crc;
}

/** CRC-32 (zlib's) over low bytes of UTF-16 units: etags. */
export function crc32Text(text: string): number {
  let crc = -1;
  for (let index = 0; index < text.length; index++) {
    crc = (crc >>> 8) ^ (zlib[(crc ^ text.charCodeAt(index)) & 0xff] ?? 0);
  }
  return (crc ^ -1) >>> 0;
}

const xmodem = table16((byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

const arc = table16((byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  return crc;
});

const zlib = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

function table16(entry: (byte: number) => number): Uint16Array {
  return Uint16Array.from({ length: 256 }, (_, byte) => entry(byte));
}
