-- A room counts among its owner's, if that has not too many.
-- KEYS rooms
-- ARGV nonce, room, most (empty: it is its owner's anyway), milliseconds that it counts
-- Replies enrolled, or full and how many there are
local nonce, room, most, ms = unpack(ARGV)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local count = redis.call('ZCARD', KEYS[1])
local known = redis.call('ZSCORE', KEYS[1], room)
if most ~= '' and not known and count >= tonumber(most) then
  return {nonce, 'full', count}
end
-- Never shorter than it was, and the key as long as its longest.
redis.call('ZADD', KEYS[1], 'GT', now + ms, room)
redis.call('PEXPIREAT', KEYS[1], redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
return {nonce, 'enrolled'}
