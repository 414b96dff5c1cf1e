-- What is known of a room; a node that is named watches it from now on.
-- KEYS name, lease, watchers
-- ARGV nonce, node (empty: nobody watches), milliseconds of a watch
-- Replies unknown or known, owner, verifier, epoch, and the holder's node, connection, epoch
local nonce, node, watch_ms = unpack(ARGV)
local name = redis.call('HMGET', KEYS[1], 'owner', 'verifier', 'epoch')
if not name[1] then
  return {nonce, 'unknown'}
end
if node ~= '' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
  redis.call('ZADD', KEYS[3], now + watch_ms, node)
  redis.call('PEXPIRE', KEYS[3], watch_ms)
end
local held = redis.call('HMGET', KEYS[2], 'node', 'connection', 'epoch')
return {nonce, 'known', name[1], name[2], name[3], held[1] or '', held[2] or '', held[3] or ''}
