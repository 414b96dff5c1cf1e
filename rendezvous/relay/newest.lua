-- The id of an inbox's newest entry; 0-0 if there is none.
-- KEYS inbox
-- ARGV nonce
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
return {ARGV[1], newest[1] and newest[1][1] or '0-0'}
