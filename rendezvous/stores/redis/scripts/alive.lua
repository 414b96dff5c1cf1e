-- Whether the node lives: 1 or 0.
-- KEYS beat
-- ARGV nonce
return {ARGV[1], redis.call('EXISTS', KEYS[1])}
