-- Leases of lanes, in one hash: what would forget one forgets all, and its name.
--   epoch       the name of this memory, with "young " before it until it has been held off
--   fence       the last fencing number
--   KEY/LANE    "OWNER FENCE ENDS LAST": the owner or "-", by this server's clock until when, and the last
--               millisecond that it may place in
--   KEY/wanted  who waits for a turn, a lane that there is one of: "OWNER=TIME,", the first first
-- ARGV: owner, lease in ms, a name for a memory without one, the name of one that was held off; then seven
-- words for each question: KEY, how many LANES it has, ASK, LANE, FENCE, LAST, VALID.
-- Gives the name of a young memory, or nothing, and an answer for each question.
local all, owner, lease = KEYS[1], ARGV[1], tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local epoch = redis.call('HGET', all, 'epoch')
if not epoch then
  epoch = 'young ' .. ARGV[3]
  redis.call('HSET', all, 'epoch', epoch)
end
local young = string.match(epoch, '^young (.+)$')
if young and young == ARGV[4] then
  redis.call('HSET', all, 'epoch', young)
  young = nil
end

local function parsed(record)
  if not record then return nil end
  local who, fence, ends, last = string.match(record, '^(%S+) (%d+) (%d+) (%d+)$')
  return { who = who, fence = fence, ends = tonumber(ends), last = tonumber(last) }
end

local function write(field, who, fence, ends, last)
  redis.call('HSET', all, field, string.format('%s %s %.0f %.0f', who, fence, ends, last))
end

local function release(field, fence, last)
  local record = parsed(redis.call('HGET', all, field))
  if not record or record.who ~= owner or record.fence ~= fence then return 'lost' end
  write(field, '-', fence, 0, last)
  return 'done'
end

-- Calls with each who waits for a turn and when it asked, but for those that ask no more: they do each second.
local function waiting(key, call)
  local written = redis.call('HGET', all, key .. '/wanted') or ''
  for who, asked in string.gmatch(written, '([^=,]+)=(%d+),') do
    if tonumber(asked) + 3000 > now then call(who, asked) end
  end
end

local function wanted(key)
  local found = false
  waiting(key, function(who) found = found or who ~= owner end)
  return found
end

-- Whether the turn is free, and this owner the first who waits for it; if not, it is noted as one who waits.
local function first(key)
  local before, text, own = nil, '', string.format('%s=%.0f,', owner, now)
  waiting(key, function(who, asked)
    if who == owner then before, text, own = before or who, text .. own, ''
    else before, text = before or who, text .. who .. '=' .. asked .. ',' end
  end)
  local record = parsed(redis.call('HGET', all, key .. '/0'))
  if (before or owner) == owner and (not record or record.ends <= now) then
    redis.call('HSET', all, key .. '/wanted', (string.gsub(text, '^' .. owner .. '=%d+,', '')))
    return true
  end
  redis.call('HSET', all, key .. '/wanted', text .. own)
  return false
end

local function take(key, lanes, wall)
  if young or (lanes == 1 and not first(key)) then return 'none' end
  local fields = {}
  for lane = 0, lanes - 1 do fields[lane + 1] = key .. '/' .. lane end
  local records = redis.call('HMGET', all, unpack(fields))
  local best, begin
  for lane = 0, lanes - 1 do
    local record = parsed(records[lane + 1])
    if not record or record.ends <= now then
      local last = record and record.last or 0
      if not best or last < begin then best, begin = lane, last end
      if last <= wall then break end
    end
  end
  if not best then return 'none' end
  begin = math.max(begin, wall)
  local fence = string.format('%.0f', redis.call('HINCRBY', all, 'fence', 1))
  write(key .. '/' .. best, owner, fence, now + lease, begin + lease)
  return string.format('granted %d %s %.0f %.0f', best, fence, begin, begin + lease)
end

local function renew(key, lanes, field, fence, last, valid)
  local record = parsed(redis.call('HGET', all, field))
  if record and record.who == owner and record.fence == fence then
    write(field, owner, fence, now + lease, math.max(record.last, last))
    return lanes == 1 and wanted(key) and 'wanted' or 'done'
  end
  -- A memory that has just begun is told of leases that are still good.
  if not record and young and valid == '1' then
    if tonumber(redis.call('HGET', all, 'fence') or '0') < tonumber(fence) then
      redis.call('HSET', all, 'fence', fence)
    end
    write(field, owner, fence, now + lease, last)
    return 'done'
  end
  -- Whoever has lost a lane may have another at once.
  local taken = take(key, lanes, last - lease)
  return taken == 'none' and 'lost' or taken
end

local answers = { young or '' }
for at = 5, #ARGV, 7 do
  local key, lanes, ask = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  local fence, last = ARGV[at + 4], tonumber(ARGV[at + 5])
  local field = key .. '/' .. ARGV[at + 3]
  if ask == 'take' then
    answers[#answers + 1] = take(key, lanes, last)
  elseif ask == 'renew' then
    answers[#answers + 1] = renew(key, lanes, field, fence, last, ARGV[at + 6])
  else
    answers[#answers + 1] = release(field, fence, last)
  end
end
return answers
