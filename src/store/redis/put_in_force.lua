#!lua flags=allow-oom
-- Puts another revision in force. KEYS: catalog. ARGV: the revision expected; revision, hash and paused playbooks.
-- Answers 1, or 0 where another revision is in force.
if (redis.call('HGET', KEYS[1], 'revision') or '0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'hash', ARGV[3], 'paused', ARGV[4])
return 1
