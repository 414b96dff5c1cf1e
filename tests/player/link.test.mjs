import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { fragment, parseFragment, parseLink, shortened } from '../../player/link.js';

const { room_ids: rooms } = JSON.parse(readFileSync(new URL('../wire/identity.json', import.meta.url), 'utf8'));
const SECRET = 'dmlld2VyLXNlY3JldC0wMQ';

test('a fragment has a room, and a secret unless the room is public', () => {
  assert.deepEqual(parseFragment(`#MyRoom.${SECRET}`), { room: 'MyRoom', secret: SECRET });
  assert.deepEqual(parseFragment('#MyRoom'), { room: 'MyRoom', secret: null });
});

test('every room ID fits into a link and comes back out', () => {
  for (const room of rooms.valid) {
    for (const secret of [SECRET, null]) assert.deepEqual(parseFragment(fragment({ room, secret })), { room, secret });
  }
});

test('what names no room is no link', () => {
  // Surrounding space is the messenger's, and a dot parts room and secret.
  const wrong = rooms.invalid.filter((room) => room === room.trim() && room !== 'a.b');
  for (const room of [...wrong, '.', `.${SECRET}`, 'a.', 'a.b.c', '%', '%2']) assert.equal(parseFragment(`#${room}`), null, room);
});

test('a pasted link may be whole, only its end, escaped or surrounded by space', () => {
  const link = { room: 'MyRoom', secret: SECRET };
  for (const text of [`http://host:4545/#MyRoom.${SECRET}`, `MyRoom.${SECRET}`, ` #MyRoom%2E${SECRET}\n`]) {
    assert.deepEqual(parseLink(text), link);
  }
});

test('the room of a key is shortened in the middle, a chosen name is not', () => {
  assert.equal(shortened('k7q2mzr4t5xw3ya6bcde2fgh7ijl4mno'), 'k7q2mz…jl4mno');
  const chosen = 'The-camera-over-the-door-of-the-barn';
  assert.equal(shortened(chosen), chosen);
});
