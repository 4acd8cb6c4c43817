#!lua flags=allow-oom
-- Marks an effect as started. KEYS: lease, fx, fx:started. ARGV: epoch, key.
-- Answers now, gone, lost, or before and the mark.
local lease = redis.call('HMGET', KEYS[1], 'epoch', 'node')
if lease[1] ~= ARGV[1] or not lease[2] or lease[2] == '' then return {'lost'} end
if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0 then return {'gone'} end
local mark = redis.call('HGET', KEYS[3], ARGV[2])
if mark then return {'before', mark} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[3], ARGV[2], string.format('%s-%.0f', ARGV[1], now))
return {'now'}
