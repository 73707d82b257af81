// CRC-32 as in IEEE 802.3, zlib and PNG: polynomial 0x04c11db7, reflected, initial value and final
// xor all ones. Two steps a byte through a table of 16 words, where the usual table has 256: what
// is summed here is small, and the kilobyte saved is not. Guards records in flash and BLE frames.

const NIBBLES: usize = memory.data<u32>([
  0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
  0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
]);

/** CRC of `size` bytes, continuing `seed`: 0 to start, the previous result to go on. */
export function crc32(seed: u32, from: usize, size: i32): u32 {
  let crc = ~seed;
  for (const end = from + size; from < end; from++) {
    crc = step(step(crc ^ load<u8>(from)));
  }
  return ~crc;
}

function step(crc: u32): u32 {
  return (crc >> 4) ^ load<u32>(NIBBLES + ((crc & 15) << 2));
}
