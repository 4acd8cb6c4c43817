#!lua flags=allow-oom
-- Takes a dead letter out. KEYS: dead. ARGV: position. Answers its payload or nothing.
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
if not found[1] then return false end
redis.call('XDEL', KEYS[1], ARGV[1])
return found[1][2][2]
