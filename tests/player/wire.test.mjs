import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';

import { joinProof, viewerVerifier } from '../../player/proof.js';
import * as wire from '../../player/wire.js';

const WIRE = new URL('../wire/', import.meta.url);
const golden = (name) => JSON.parse(readFileSync(new URL(name, WIRE), 'utf8'));
const FILES = readdirSync(WIRE).filter((name) => name.endsWith('.json'));
const EXAMPLES = FILES.map(golden).flatMap((file) => file.examples ?? []);
const exampleOf = (type) => EXAMPLES.filter((message) => message.type === type);

/** `message` says everything that `example` says; defaults may have been added. */
function assertSays(message, example) {
  for (const [name, value] of Object.entries(example)) {
    if (name === 'source') assertSays(message.source, { ...value, type: undefined });
    else if (value !== undefined && !(name in wireOnly)) assert.deepEqual(message[name], value, name);
  }
}
const wireOnly = { features: 1, limits: 1 }; // a viewer has no use for them

test('every message to a viewer has golden examples, and all of them parse', () => {
  for (const type of wire.SERVER_TYPES) {
    const examples = exampleOf(type);
    assert.notEqual(examples.length, 0, `no example of ${type}`);
    for (const example of examples) {
      const message = wire.parse(JSON.stringify(example));
      assert.ok(message, JSON.stringify(example));
      assertSays(message, example);
    }
  }
});

test('absent fields have their defaults', () => {
  const joined = wire.parse('{"type":"joined","room":"a","session":"s","secret":"t"}');
  assert.deepEqual(joined.ice_servers, []);
  assert.equal(joined.ice_policy, 'all');
  assert.deepEqual(joined.source, { state: 'starting', code: null, message: '', tracks: [], legs: ['rtp'] });
  assert.equal(wire.parse('{"type":"error","code":"c","message":"m"}').retry_after, null);
});

test('what is not understood is nothing: other types, other shapes, no JSON', () => {
  const strange = [
    'hello', '', '[]', 'null', '{}', '{"type":5}', '{"type":"later"}', '{"type":"toString"}', '{"type":"constructor"}',
    '{"type":"answer","session":"s"}', '{"type":"answer","session":"s","sdp":5}',
    '{"type":"candidate","session":"s"}', '{"type":"candidate","session":"s","candidate":"c"}',
    '{"type":"source","state":"asleep"}', '{"type":"source","state":"live","legs":"rtp"}', '{"type":"goaway","after":"soon"}',
    '{"type":"joined","room":"a","session":"s","secret":"t","source":{"state":"asleep"}}',
    '{"type":"joined","room":"a","session":"s","secret":"t","ice_servers":[{"urls":"stun:a"}]}',
  ];
  for (const text of strange) assert.equal(wire.parse(text), null, text);
});

test('a viewer hears of the deliveries that it knows, in the order of the room', () => {
  const legs = ['fmp4', 'pigeon', 'rtp'];
  assert.deepEqual(wire.parse(JSON.stringify({ type: 'source', state: 'live', legs })).legs, ['fmp4', 'rtp']);
  const joined = { type: 'joined', room: 'a', session: 's', secret: 't', source: { state: 'live', legs } };
  assert.deepEqual(wire.parse(JSON.stringify(joined)).source.legs, ['fmp4', 'rtp']);
});

test('unknown fields are ignored', () => {
  assert.deepEqual(wire.parse('{"type":"ping","later":true}'), { type: 'ping' });
});

test('what a viewer says has the shape of the golden examples', () => {
  const shapeOf = (message) => Object.entries(message).map(([name, value]) => [name, typeof value]).sort();
  const said = [
    wire.hello(), wire.ping(), wire.pong(), wire.join('MyRoom', null), wire.join('MyRoom', 'p'.repeat(43)),
    wire.offer('s', 'v=0'), wire.candidate('s', null), wire.candidate('s', { candidate: 'c' }),
    wire.end('s', 'left'), wire.resume('s', 't', 'MyRoom'),
  ];
  for (const message of said) {
    const shapes = exampleOf(message.type).map((example) => new Map(shapeOf(example)));
    assert.ok(
      shapes.some((shape) => shapeOf(message).every(([name, kind]) => shape.get(name) === kind)),
      JSON.stringify(message),
    );
  }
});

test('verifiers and proofs are those of the vectors', () => {
  const identity = golden('identity.json');
  for (const { room, secret, verifier } of identity.viewer_verifiers) {
    assert.equal(viewerVerifier(room, secret), verifier);
  }
  for (const { verifier, proof, ...of } of identity.join_proofs) assert.equal(joinProof(verifier, of), proof);
});
