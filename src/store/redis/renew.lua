#!lua flags=allow-oom
-- Prolongs the lease. KEYS: lease. ARGV: epoch, ttl in ms. Answers 1, or 0 where it is another's.
local lease = redis.call('HMGET', KEYS[1], 'epoch', 'node')
if lease[1] ~= ARGV[1] or not lease[2] or lease[2] == '' then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + ARGV[2]))
return 1
