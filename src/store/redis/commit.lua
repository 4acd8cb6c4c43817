#!lua flags=allow-oom
-- Applies a batch, if the epoch is the owner's and the checkpoint is where it begins. Memory may be short: this frees it.
-- KEYS: lease, at, in, fx, fx:order, fx:started, journal, dead, due, dead:of; then states, logs, logs to forget, channels.
-- ARGV: epoch, from, to, 1 to write in any case; then lists, each behind its length:
--       states (1 and its payload, or 0 and ''), due (actor, time or ''), logs (only their number), entries (number of
--       the log, id, payload), effects (key, payload), cancelled, finished, journal (behind its first number: lines),
--       forget_dead (actor), dead (id, actor, payload), forget (conversation), hints (number of the channel, payload).
-- Answers applied, done, lost, or wrong and why.
local epoch, from, to = ARGV[1], ARGV[2], ARGV[3]

local function less(a, b)
  local a1, a2 = string.match(a, '^(%d+)-(%d+)$')
  local b1, b2 = string.match(b, '^(%d+)-(%d+)$')
  a1, a2, b1, b2 = tonumber(a1), tonumber(a2), tonumber(b1), tonumber(b2)
  return a1 < b1 or (a1 == b1 and a2 < b2)
end

local lease = redis.call('HMGET', KEYS[1], 'epoch', 'node')
if lease[1] ~= epoch or not lease[2] or lease[2] == '' then return {'lost'} end
local at = redis.call('HMGET', KEYS[2], 'epoch', 'to', 'journal', 'effects')
local checkpoint = at[2] or '0-0'
if checkpoint == to and at[1] == epoch then
  -- It may not be on a replica yet, and WAIT asks only for what its own connection wrote (7.0 asks for everything).
  if ARGV[4] == '1' then redis.call('HINCRBY', KEYS[2], 'touched', 1) end
  return {'done'}
end
if checkpoint ~= from then return {'lost'} end
local input = redis.call('XRANGE', KEYS[3], to, to)
if not input[1] then return {'lost'} end
local decided = input[1][2][2]

-- Where each list begins and how long it is.
local place = 5
local function list(width, head)
  local length = tonumber(ARGV[place])
  local start = place + 1 + (head or 0)
  place = start + length * width
  return {start = start, length = length}
end
local states, due, logs = list(2), list(2), list(0)
local entries, effects, cancelled, finished = list(3), list(2), list(1), list(1)
local journal, forget_dead, dead = list(1, 1), list(1), list(3)
local forget, hints = list(1), list(2)
-- Numbers of logs, logs to forget and channels count from 1.
local first_log = 10 + states.length
local first_forget = first_log + logs.length
local first_channel = first_forget + forget.length

-- Everything is checked before the first write.
local line = tonumber(ARGV[journal.start - 1])
if journal.length > 0 then
  local wanted = 1
  local last_epoch, last_n = string.match(at[3] or '0-0', '^(%d+)-(%d+)$')
  if last_epoch == epoch then wanted = tonumber(last_n) + 1 end
  if line ~= wanted then
    return {'wrong', string.format('the journal goes on with %d, not with %d', wanted, line)}
  end
end
local last = {}
for i = 0, entries.length - 1 do
  local log, id = tonumber(ARGV[entries.start + i * 3]), ARGV[entries.start + i * 3 + 1]
  if not last[log] then
    local found = redis.call('XREVRANGE', KEYS[first_log + log], '+', '-', 'COUNT', 1)
    last[log] = found[1] and found[1][1] or '0-0'
  end
  if not less(last[log], id) then
    return {'wrong', 'entry ' .. id .. ' does not follow ' .. last[log]}
  end
  last[log] = id
end

-- From here on it is written.
for i = 0, states.length - 1 do
  local key = KEYS[11 + i]
  if ARGV[states.start + i * 2] == '1' then
    redis.call('SET', key, ARGV[states.start + i * 2 + 1])
  else
    redis.call('UNLINK', key)
  end
end
for i = 0, due.length - 1 do
  local actor, time = ARGV[due.start + i * 2], ARGV[due.start + i * 2 + 1]
  if time ~= '' then
    redis.call('ZADD', KEYS[9], time, actor)
  else
    redis.call('ZREM', KEYS[9], actor)
  end
end
for i = 0, entries.length - 1 do
  local a = entries.start + i * 3
  redis.call('XADD', KEYS[first_log + tonumber(ARGV[a])], ARGV[a + 1], 'p', ARGV[a + 2])
end
local order = tonumber(at[4] or 0)
for i = 0, effects.length - 1 do
  local key = ARGV[effects.start + i * 2]
  if redis.call('HSETNX', KEYS[4], key, ARGV[effects.start + i * 2 + 1]) == 1 then
    order = order + 1
    redis.call('ZADD', KEYS[5], order, key)
  end
end
for i = 0, cancelled.length - 1 do
  local key = ARGV[cancelled.start + i]
  if redis.call('HEXISTS', KEYS[6], key) == 0 then
    redis.call('HDEL', KEYS[4], key)
    redis.call('ZREM', KEYS[5], key)
  end
end
for i = 0, finished.length - 1 do
  local key = ARGV[finished.start + i]
  redis.call('HDEL', KEYS[4], key)
  redis.call('HDEL', KEYS[6], key)
  redis.call('ZREM', KEYS[5], key)
end
for i = 0, journal.length - 1 do
  local id = string.format('%s-%.0f', epoch, line + i)
  redis.call('XADD', KEYS[7], id, 'p', ARGV[journal.start + i])
end
for i = 0, forget_dead.length - 1 do
  local actor = ARGV[forget_dead.start + i]
  -- An erase is rare, and most customers have none.
  if redis.call('HDEL', KEYS[10], actor) == 1 then
    for _, letter in ipairs(redis.call('XRANGE', KEYS[8], '-', '+')) do
      if letter[2][4] == actor then redis.call('XDEL', KEYS[8], letter[1]) end
    end
  end
end
for i = 0, dead.length - 1 do
  local a = dead.start + i * 3
  redis.call('XADD', KEYS[8], ARGV[a], 'p', ARGV[a + 2], 'a', ARGV[a + 1])
  redis.call('HINCRBY', KEYS[10], ARGV[a + 1], 1)
end
if forget.length > 0 then
  -- An erase is rare: looking through all pending effects is cheaper than an order of its own for every effect.
  local pending = redis.call('HKEYS', KEYS[4])
  for i = 0, forget.length - 1 do
    redis.call('UNLINK', KEYS[first_forget + 1 + i])
    local begin = ARGV[forget.start + i] .. '/'
    for _, key in ipairs(pending) do
      if string.sub(key, 1, #begin) == begin then
        redis.call('HDEL', KEYS[4], key)
        redis.call('HDEL', KEYS[6], key)
        redis.call('ZREM', KEYS[5], key)
      end
    end
  end
end
redis.call('HSET', KEYS[2], 'epoch', epoch, 'to', to, 'decided', decided, 'effects', string.format('%.0f', order))
if journal.length > 0 then
  redis.call('HSET', KEYS[2], 'journal', string.format('%s-%.0f', epoch, line + journal.length - 1))
end
redis.call('HDEL', KEYS[1], 'trying', 'count', 'tried')
for i = 0, hints.length - 1 do
  local a = hints.start + i * 2
  redis.call('SPUBLISH', KEYS[first_channel + tonumber(ARGV[a])], ARGV[a + 1])
end
return {'applied'}
