-- Adds a frame to a node's inbox. The oldest go if the node does not read: links send them again.
-- KEYS inbox
-- ARGV nonce, most frames, most bytes, frames that always fit, milliseconds of a frame, frame
local nonce, most, most_bytes, fitting, ms, frame = unpack(ARGV)
redis.call('XADD', KEYS[1], 'MAXLEN', '~', most, '*', 'frame', frame)
local time = redis.call('TIME')
redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', time[1] * 1000 - ms))
if redis.call('XLEN', KEYS[1]) > tonumber(fitting)
  and redis.call('MEMORY', 'USAGE', KEYS[1]) > tonumber(most_bytes) then
  redis.call('XTRIM', KEYS[1], 'MAXLEN', fitting)
end
redis.call('PEXPIRE', KEYS[1], ms)
return {nonce}
