-- The camera of this epoch is gone; its name was seen now.
-- KEYS name, lease
-- ARGV nonce, epoch, milliseconds of a name
local nonce, epoch, name_ms = unpack(ARGV)
if redis.call('HGET', KEYS[2], 'epoch') == epoch then
  redis.call('DEL', KEYS[2])
  redis.call('PEXPIRE', KEYS[1], name_ms)
end
return {nonce}
