-- Adds a frame to a node's inbox.
-- KEYS inbox
-- ARGV nonce, most entries, milliseconds until it ends, frame
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'frame', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {ARGV[1]}
