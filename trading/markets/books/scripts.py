"""Lua scripts: each changes one market in one step, so that no reader sees half of it."""

# KEYS: book, taken, owner. ARGV: owner token ('' = no fence), now ms, book 0, book 1, quote,
# confirmed ms, connection, ttl s, price frame to keep for snapshots ('' = keep the former one),
# number of depletion fields to forget (-1 = all), those fields, channel, frames to publish.
# Answers the new seq, or 0 when another process owns the feed.
# seq never falls, not even after Valkey lost everything: it is at least the wall clock in ms.
WRITE_MARKET = """
if ARGV[1] ~= '' and redis.call('GET', KEYS[3]) ~= ARGV[1] then return 0 end
local old = tonumber(redis.call('HGET', KEYS[1], 'seq') or '0')
local seq = math.max(old + 1, tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], '0', ARGV[3], '1', ARGV[4], 'q', ARGV[5],
  'confirmed_ms', ARGV[6], 'conn', ARGV[7], 'seq', string.format('%.0f', seq))
redis.call('EXPIRE', KEYS[1], ARGV[8])
if ARGV[9] ~= '' then redis.call('HSET', KEYS[1], 'frame', ARGV[9]) end
local forget = tonumber(ARGV[10])
local position = 11
if forget < 0 then
  redis.call('DEL', KEYS[2])
else
  for i = 1, forget do
    redis.call('HDEL', KEYS[2], ARGV[position])
    position = position + 1
  end
end
local channel = ARGV[position]
for i = position + 1, #ARGV do redis.call('PUBLISH', channel, ARGV[i]) end
return seq
"""

# KEYS: book, taken. ARGV: seq, ttl s, then (depletion key, quantity, level size) per level.
# All levels or none: 1 = taken, 0 = the book moved on or somebody else was first.
TAKE_DEPTH = """
if redis.call('HGET', KEYS[1], 'seq') ~= ARGV[1] then return 0 end
for i = 3, #ARGV, 3 do
  local taken = tonumber(redis.call('HGET', KEYS[2], ARGV[i]) or '0')
  if taken + tonumber(ARGV[i + 1]) > tonumber(ARGV[i + 2]) then return 0 end
end
for i = 3, #ARGV, 3 do redis.call('HINCRBY', KEYS[2], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
"""

# KEYS: taken. ARGV: (depletion key, quantity) per level. A level that was renewed meanwhile has
# no field any more and stays untouched.
GIVE_BACK_DEPTH = """
for i = 1, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then
    local left = redis.call('HINCRBY', KEYS[1], ARGV[i], '-' .. ARGV[i + 1])
    if left <= 0 then redis.call('HDEL', KEYS[1], ARGV[i]) end
  end
end
return 1
"""

# KEYS: owner. ARGV: token, lease ms. 0 = another's; 1 = still ours; 2 = nobody had it, now ours.
HOLD_LEASE = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return owner and 1 or 2
"""

# KEYS: owner. ARGV: token. Gives the lease up only if it is still ours.
RELEASE_LEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
