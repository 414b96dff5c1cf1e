-- A viewer's place in a room, unless all are taken; who has one already keeps it.
-- KEYS places
-- ARGV nonce, viewer, most (empty: as many as there are), milliseconds of a place
-- Replies taken or full
local nonce, viewer, most, ms = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if most ~= '' and redis.call('ZCARD', KEYS[1]) >= tonumber(most)
  and not redis.call('ZSCORE', KEYS[1], viewer) then
  return {nonce, 'full'}
end
redis.call('ZADD', KEYS[1], now + ms, viewer)
redis.call('PEXPIRE', KEYS[1], ms)
return {nonce, 'taken'}
