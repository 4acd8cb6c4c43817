#!lua flags=allow-oom
-- Forgets what the record has. KEYS: at, in, journal, then logs. ARGV: the last journal line and the last input to go.
local function after(id)
  local a, b = string.match(id, '^(%d+)-(%d+)$')
  return string.format('%s-%.0f', a, tonumber(b) + 1)
end
local function less(a, b)
  local a1, a2 = string.match(a, '^(%d+)-(%d+)$')
  local b1, b2 = string.match(b, '^(%d+)-(%d+)$')
  a1, a2, b1, b2 = tonumber(a1), tonumber(a2), tonumber(b1), tonumber(b2)
  return a1 < b1 or (a1 == b1 and a2 < b2)
end
local upto = ARGV[2]
local checkpoint = redis.call('HGET', KEYS[1], 'to') or '0-0'
if less(checkpoint, upto) then upto = checkpoint end
redis.call('XTRIM', KEYS[3], 'MINID', after(ARGV[1]))
redis.call('XTRIM', KEYS[2], 'MINID', after(upto))
for i = 4, #KEYS do redis.call('UNLINK', KEYS[i]) end
return 1
