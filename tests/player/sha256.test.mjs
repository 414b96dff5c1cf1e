import assert from 'node:assert/strict';
import { createHash, createHmac, randomBytes } from 'node:crypto';
import test from 'node:test';

import { hmacSha256, sha256 } from '../../player/sha256.js';

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const utf8 = (text) => new TextEncoder().encode(text);

test('the digests of FIPS 180-4’s examples', () => {
  const examples = {
    '': 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    abc: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq:
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    ['a'.repeat(1_000_000)]: 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0',
  };
  for (const [text, digest] of Object.entries(examples)) assert.equal(hex(sha256(utf8(text))), digest);
});

test('the HMAC of RFC 4231’s second and sixth case', () => {
  assert.equal(
    hex(hmacSha256(utf8('Jefe'), utf8('what do ya want for nothing?'))),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
  const longKey = new Uint8Array(131).fill(0xaa);
  assert.equal(
    hex(hmacSha256(longKey, utf8('Test Using Larger Than Block-Size Key - Hash Key First'))),
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  );
});

test('data of every length around a block’s end equal those of node:crypto', () => {
  for (let length = 0; length < 200; length += 1) {
    const [key, data] = [randomBytes(length), randomBytes(length)];
    assert.equal(hex(sha256(data)), createHash('sha256').update(data).digest('hex'));
    assert.equal(hex(hmacSha256(key, data)), createHmac('sha256', key).update(data).digest('hex'));
  }
});
