-- Leaves out rows whose key was seen shortly before: what a producer sends twice because it had no answer.
--
--   - name: once
--     kind: lua
--     file: deduplicate.lua
--     options: {key: id, window: 10m, keys_max: 50000}
--
--   key        the field, a text or a bigint, or a list of fields, that says what is the same. Rows without it (NULL) stay
--   window     how long a key is remembered, by the records' time (__timestamp__): a number with s, m or h; 10m without it
--   keys_max   how many keys each worker remembers, its Kafka partitions sharing them; 50000 without it. Beyond that keys are
--              forgotten sooner, and the counter keys_forgotten says how many. 50000 take some 10 MiB of Lua's memory
--
-- Both copies must be in the same Kafka partition, as they are when the record's key is what makes them the same. What was seen
-- is kept over a reload of the job, but not over a restart: then a copy of a row from before passes. Put this stage behind those
-- that filter, and before those that make several rows of one.

local luaduct = require "luaduct"

local stage = {state = "partition"}
local fields, window, keys_max
local seen = {} -- by Kafka partition
local partitions = 0
local forgotten

-- Keys stand in two generations. When the newer one is full or as old as the window, the older one is forgotten and the newer one
-- takes its place: so forgetting costs nothing, and what is held is bounded.
local function generation(now)
  return {begun = now, count = 0, offset = {}, time = {}}
end

local function turn(memory, now)
  if memory.older.count > 0 and now - memory.newer.begun <= window then
    forgotten:add(memory.older.count)
  end
  memory.older, memory.newer = memory.newer, generation(now)
end

-- A row that fails makes the stage run again on the others, and then it meets rows that it has seen. They have the offset that is
-- kept with their key: the first record with a key is not its own copy.
local function is_copy(memory, key, offset, now)
  for _, known in ipairs{memory.newer, memory.older} do
    if known.offset[key] and known.offset[key] < offset and math.abs(now - known.time[key]) <= window then return true end
  end
  return false
end

local function remember(memory, key, offset, now)
  local newer = memory.newer
  if now - newer.begun > window or newer.count >= keys_max // (2 * partitions) then
    turn(memory, now)
    newer = memory.newer
  end
  if not newer.offset[key] then newer.count = newer.count + 1 end
  newer.offset[key], newer.time[key] = offset, now
end

local units = {s = 1000, m = 60000, h = 3600000}

function stage.open(ctx)
  local options = ctx.options
  local count, unit = tostring(options.window or "10m"):match("^(%d+)([smh])$")

  ctx.known{"key", "window", "keys_max"}
  window = count and math.tointeger(count) * units[unit]
  keys_max = options.keys_max or 50000
  fields = type(options.key) == "table" and options.key or {options.key}
  if not window then
    ctx.complain("window", "a time such as 30s, 10m or 2h is wanted")
  end
  if math.type(keys_max) ~= "integer" or keys_max < 2 then
    ctx.complain("keys_max", "a whole number, 2 or more, is wanted")
  end
  if #fields == 0 then
    ctx.complain("key", "a field or a list of fields is wanted")
  end
  seen = ctx.saved or {}
  for _ in pairs(seen) do partitions = partitions + 1 end
  forgotten = luaduct.counter("keys_forgotten", "Keys that were forgotten early, for there were too many.")
end

function stage.save()
  return seen
end

function stage.process(batch)
  for row in batch:rows() do
    local parts = {}
    for i, field in ipairs(fields) do
      local value = row:get(field)
      if value == nil then break end
      parts[i] = #tostring(value) .. ":" .. tostring(value) -- "a", "bc" is not "ab", "c"
    end

    if #parts == #fields then
      local now, offset, key = row.__timestamp__, row.__offset__, table.concat(parts)
      local memory = seen[row.__partition__]
      if not memory then
        memory = {older = generation(now), newer = generation(now)}
        seen[row.__partition__] = memory
        partitions = partitions + 1
      end
      if is_copy(memory, key, offset, now) then
        row:drop()
      else
        remember(memory, key, offset, now)
      end
    end
  end
end

return stage
