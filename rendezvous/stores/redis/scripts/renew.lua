-- Another time to live for a lease, and for the name with it.
-- KEYS name, lease
-- ARGV nonce, epoch, milliseconds: of a lease, of a name, between two enrolments
-- Replies lost or held, and the owner if it is to enrol the room again, else nothing
local nonce, epoch, lease_ms, name_ms, enrol_ms = unpack(ARGV)
if redis.call('HGET', KEYS[2], 'epoch') ~= epoch or redis.call('HGET', KEYS[1], 'epoch') ~= epoch then
  return {nonce, 'lost', ''}
end
redis.call('PEXPIRE', KEYS[2], lease_ms)
redis.call('PEXPIRE', KEYS[1], name_ms)
local owner, enrolled = unpack(redis.call('HMGET', KEYS[1], 'owner', 'enrolled'))
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now - enrolled < tonumber(enrol_ms) then
  return {nonce, 'held', ''}
end
redis.call('HSET', KEYS[1], 'enrolled', now)
return {nonce, 'held', owner}
