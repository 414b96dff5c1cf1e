-- The node lives.
-- KEYS beat
-- ARGV nonce, milliseconds until it must say so again
redis.call('SET', KEYS[1], '1', 'PX', ARGV[2])
return {ARGV[1]}
