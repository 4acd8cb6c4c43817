#!lua flags=allow-oom
-- Takes the lease, if it is free, over, or this node's own.
-- KEYS: lease, at. ARGV: node, ttl in ms.
-- Answers nothing, or: epoch, checkpoint, last journal line, what was tried or '', how often, 1 if the last end was clean.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lease = redis.call('HMGET', KEYS[1], 'node', 'epoch', 'until', 'trying', 'count', 'clean')
local node = lease[1] or ''
if node ~= '' and node ~= ARGV[1] and tonumber(lease[3]) > now then return {} end
local at = redis.call('HMGET', KEYS[2], 'epoch', 'to', 'journal')
-- Above all that was ever seen here, though a failover may have lost the last lease.
local journal = at[3] or '0-0'
local last = math.max(tonumber(lease[2] or 0), tonumber(at[1] or 0), tonumber(string.match(journal, '^%d+')))
local epoch = string.format('%.0f', math.max(last + 1, now))
redis.call('HSET', KEYS[1], 'node', ARGV[1], 'epoch', epoch, 'until', string.format('%.0f', now + ARGV[2]), 'clean', 0)
local clean = 0
if not lease[2] or lease[6] == '1' then clean = 1 end
return {epoch, at[2] or '0-0', journal, lease[4] or '', tonumber(lease[5] or 0), clean}
