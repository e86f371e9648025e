// MD5 (RFC 1321), which digests of SIP still use and browsers do not have.
"use strict";

function md5(text) {
  const bytes = new TextEncoder().encode(text);
  const padded = new DataView(new ArrayBuffer(((bytes.length + 8) >> 6) * 64 + 64));
  bytes.forEach((each, at) => padded.setUint8(at, each));
  padded.setUint8(bytes.length, 0x80);
  padded.setUint32(padded.byteLength - 8, bytes.length * 8, true);
  const turns = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
  const sum = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
  for (let block = 0; block < padded.byteLength; block += 64) {
    let [a, b, c, d] = sum;
    for (let step = 0; step < 64; step++) {
      const round = step >> 4;
      const mixed = [(b & c) | (~b & d), (d & b) | (~d & c), b ^ c ^ d, c ^ (b | ~d)][round];
      const word = [step, 5 * step + 1, 3 * step + 5, 7 * step][round] & 15;
      const constant = Math.floor(2 ** 32 * Math.abs(Math.sin(step + 1)));
      const added = (a + mixed + constant + padded.getUint32(block + 4 * word, true)) | 0;
      const turn = turns[4 * round + (step & 3)];
      [a, b, c, d] = [d, (b + ((added << turn) | (added >>> (32 - turn)))) | 0, b, c];
    }
    [a, b, c, d].forEach((each, at) => { sum[at] = (sum[at] + each) | 0; });
  }
  const hex = new DataView(new ArrayBuffer(16));
  sum.forEach((each, at) => hex.setInt32(4 * at, each, true));
  return [...new Uint8Array(hex.buffer)].map((each) => each.toString(16).padStart(2, "0")).join("");
}
