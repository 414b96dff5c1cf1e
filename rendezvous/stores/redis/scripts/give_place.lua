-- The viewer is gone.
-- KEYS places
-- ARGV nonce, viewer
redis.call('ZREM', KEYS[1], ARGV[2])
return {ARGV[1]}
