-- Binds a room to its first owner, and leases it to the last that claims.
-- KEYS name, lease, watchers
-- ARGV nonce, owner, verifier, node, connection, floor, step, may bind (0 or 1),
--      milliseconds: of a lease, of a name, between two enrolments
-- Replies taken | unbound | exhausted
--      or granted, epoch, enrol (0 or 1), previous node, connection, epoch, watchers…
local nonce, owner, verifier, node, connection, floor, step, may_bind = unpack(ARGV, 1, 8)
local lease_ms, name_ms, enrol_ms = unpack(ARGV, 9, 11)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local bound_to, newest, enrolled = unpack(redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'enrolled'))
if bound_to and bound_to ~= owner then
  return {nonce, 'taken'}
end
if not bound_to and may_bind ~= '1' then
  return {nonce, 'unbound'}
end

local held = redis.call('HMGET', KEYS[2], 'node', 'connection', 'epoch',
  'previous_node', 'previous_connection', 'previous_epoch')
local epoch, previous
if held[1] == node and held[2] == connection and held[3] == newest then
  epoch, previous = held[3], {held[4], held[5], held[6]}
else
  -- Microseconds, so that it grows even when all data was lost; else a step above all that is
  -- known, so that it grows when the clock does not. Written out, because Lua would round it.
  local known, above = math.max(newest or 0, held[3] or 0, floor), time[1] * 1e6 + time[2]
  if above <= known then
    above = known + step
  end
  if above > 9007199254740991 then
    return {nonce, 'exhausted'}
  end
  epoch = string.format('%.0f', above)
  previous = held[1] and {held[1], held[2], held[3]} or {'', '', ''}
  redis.call('HSET', KEYS[2], 'node', node, 'connection', connection, 'epoch', epoch,
    'previous_node', previous[1], 'previous_connection', previous[2], 'previous_epoch', previous[3])
end
redis.call('PEXPIRE', KEYS[2], lease_ms)

local enrol = now - (enrolled or 0) >= tonumber(enrol_ms)
redis.call('HSET', KEYS[1], 'owner', owner, 'verifier', verifier, 'epoch', epoch)
if enrol then
  redis.call('HSET', KEYS[1], 'enrolled', now)
end
redis.call('PEXPIRE', KEYS[1], name_ms)

return {nonce, 'granted', epoch, enrol and '1' or '0', previous[1], previous[2], previous[3],
  unpack(redis.call('ZRANGEBYSCORE', KEYS[3], string.format('(%.0f', now), '+inf'))}
