#!lua flags=allow-oom
-- Gives the lease back, cleanly. KEYS: lease. ARGV: epoch.
local lease = redis.call('HMGET', KEYS[1], 'epoch', 'node')
if lease[1] ~= ARGV[1] or not lease[2] or lease[2] == '' then return 0 end
redis.call('HSET', KEYS[1], 'node', '', 'clean', 1)
redis.call('HDEL', KEYS[1], 'trying', 'count', 'tried')
return 1
