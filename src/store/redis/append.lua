#!lua
-- Appends inputs of one partition. Without `allow-oom`: where memory is short, intake is what stops.
-- KEYS: in, at, fx, journal, dead, wake, dead:of, and every slot of `seen`.
-- ARGV: partition, dedupe window in ms, bounds of inbox, effects, journal, dead letters and keys, 1 to write in any
--       case, bound of one customer's dead letters; then for each input: 1 if bounded, 2 if a
--       guest's and so at half of the bounds, its customer, its key or '', its payload.
-- Answers the bound that is met, since when its oldest waits (of keys: when the oldest are forgotten) and the time; or ''
-- and for each input its position and 1 if it is new; '' and 2 where its customer
-- has too many dead letters.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local hour = math.floor(now / 3600000)
local window = tonumber(ARGV[2])
local slots = #KEYS - 7
local count = (#ARGV - 9) / 4

-- Keys, each once, and the first input that has it.
local first, keys = {}, {}
for i = 1, count do
  local key = ARGV[8 + i * 4]
  if key ~= '' and not first[key] then
    first[key] = i
    keys[#keys + 1] = key
  end
end

-- Where they came before, within the window: the last time of it.
local known = {}
for slot = 8, #KEYS do
  for from = 1, #keys, 1000 do
    local upto = math.min(from + 999, #keys)
    local found = redis.call('HMGET', KEYS[slot], unpack(keys, from, upto))
    for k = from, upto do
      local pos = found[k - from + 1]
      if pos then
        local ms = tonumber(string.match(pos, '^%d+'))
        if now - ms < window and (not known[keys[k]] or ms > known[keys[k]].ms) then
          known[keys[k]] = {ms = ms, pos = pos}
        end
      end
    end
  end
end

-- Customers with too many dead letters. Where all together are below the bound, nobody is above.
local refused, dead = {}, redis.call('XLEN', KEYS[5])
local most = tonumber(ARGV[9])
if dead >= tonumber(ARGV[6]) then most = 1 end
if dead >= most then
  for i = 1, count do
    local actor = ARGV[7 + i * 4]
    if refused[actor] == nil then
      refused[actor] = tonumber(redis.call('HGET', KEYS[7], actor) or 0) >= most
    end
  end
end
local function is_refused(i)
  return ARGV[6 + i * 4] ~= '0' and refused[ARGV[7 + i * 4]] and not known[ARGV[8 + i * 4]]
end

local at = redis.call('HMGET', KEYS[2], 'added', 'decided', 'to')
local added = tonumber(at[1] or 0)
local bounded, keyed, share = false, false, 1
for i = 1, count do
  local key = ARGV[8 + i * 4]
  if ARGV[6 + i * 4] ~= '0' and not is_refused(i) and (key == '' or (first[key] == i and not known[key])) then
    bounded = true
    keyed = keyed or key ~= ''
    if ARGV[6 + i * 4] == '2' then share = 0.5 end
  end
end
-- When the first input after a position came.
local function since(after)
  local found = redis.call('XRANGE', KEYS[1], after, '+', 'COUNT', 1)[1]
  return found and tonumber(string.match(found[1], '^%d+')) or now
end
if bounded then
  if added - tonumber(at[2] or 0) >= share * tonumber(ARGV[3]) then
    return {'the inbox', since(at[3] and '(' .. at[3] or '-'), now}
  end
  if redis.call('HLEN', KEYS[3]) >= share * tonumber(ARGV[4]) then return {'the list of effects', now, now} end
  -- Inputs stay until the record has them: the first one that is there tells how far it is behind.
  if redis.call('XLEN', KEYS[4]) >= share * tonumber(ARGV[5]) then return {'the journal', since('-'), now} end
end
if keyed then
  local kept, room = 0, nil
  for slot = 8, #KEYS do
    local held = redis.call('HLEN', KEYS[slot])
    kept = kept + held
    -- The keys of an hour go together.
    if held > 0 then
      local ends = now + redis.call('PTTL', KEYS[slot])
      if not room or ends < room then room = ends end
    end
  end
  if kept >= share * tonumber(ARGV[7]) then return {'the memory of dedupe keys', room or now, now} end
end

-- From here on it is written.
local answer, fresh = {''}, false
local slot = KEYS[8 + hour % slots]
for i = 1, count do
  local key = ARGV[8 + i * 4]
  local pos = known[key] and known[key].pos
  if pos then
    answer[#answer + 1] = pos
    answer[#answer + 1] = 0
  elseif is_refused(i) then
    answer[#answer + 1] = ''
    answer[#answer + 1] = 2
  else
    added = added + 1
    pos = redis.call('XADD', KEYS[1], '*', 'o', string.format('%.0f', added), 'p', ARGV[9 + i * 4])
    if key ~= '' then
      redis.call('HSET', slot, key, pos)
      known[key] = {pos = pos}
    end
    fresh = true
    answer[#answer + 1] = pos
    answer[#answer + 1] = 1
  end
end
if fresh then
  redis.call('HSET', KEYS[2], 'added', string.format('%.0f', added))
  -- The slot is used again after its hour, the window and one hour more: it ends before.
  redis.call('PEXPIREAT', slot, string.format('%.0f', (hour + 1) * 3600000 + window))
  redis.call('SPUBLISH', KEYS[6], ARGV[1])
elseif ARGV[8] == '1' then
  -- What came before may not be on a replica yet, and WAIT asks only for what its own connection wrote (7.0 asks for
  -- everything).
  redis.call('HINCRBY', KEYS[2], 'touched', 1)
end
return answer
