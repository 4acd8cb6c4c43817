#!lua flags=allow-oom
-- Takes a dead letter out. KEYS: dead, dead:of. ARGV: position. Answers its payload or nothing.
local found = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])
if not found[1] then return false end
redis.call('XDEL', KEYS[1], ARGV[1])
local actor = found[1][2][4]
if actor and redis.call('HINCRBY', KEYS[2], actor, -1) <= 0 then
  redis.call('HDEL', KEYS[2], actor)
end
return found[1][2][2]
