#!lua flags=allow-oom
-- Notes what is decided singly. KEYS: lease. ARGV: epoch, position.
-- Answers by how many owners it was noted, or -1 where the epoch is not the owner's.
local lease = redis.call('HMGET', KEYS[1], 'epoch', 'node', 'trying', 'count', 'tried')
if lease[1] ~= ARGV[1] or not lease[2] or lease[2] == '' then return -1 end
local count = 1
if lease[3] == ARGV[2] then
  -- Asked again by the same owner, whose answer was lost.
  if lease[5] == ARGV[1] then return tonumber(lease[4]) end
  count = tonumber(lease[4]) + 1
end
redis.call('HSET', KEYS[1], 'trying', ARGV[2], 'count', count, 'tried', ARGV[1])
return count
