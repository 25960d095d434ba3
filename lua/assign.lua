-- assign: renames, casts, sets, drops and orders fields, always in this order.
--
--   - name: shape
--     kind: assign
--     rename: {usr: user}                        # all at once: {a: b, b: a} swaps them
--     cast: {amount: "decimal(10,2)"}
--     set:                                       # one after the other; each sees those before it
--       - {field: source, value: bench}                         # a constant; type: says which, if it does not show
--       - {field: total, expression: price * quantity}
--       - {field: event_time, expression: cast(ts as timestamp)}
--       - {field: job, expression: "${job}"}
--     drop: [flag]                               # or: select: [id, user, total], only these and in this order
--
-- Expressions are parsed once and computed by kernels in C. A row whose value cannot be made follows when_error.

local luaduct = require "luaduct"

local stage = {}
local options
local values = {} -- of `set`, a function of the batch each

local function constant(item, path)
  if not item.type then
    return function() return item.value end
  end
  return function(batch)
    batch:set(item.field, item.value)
    local column = batch:column(item.field)
    return luaduct.at(path, column.cast, column, item.type)
  end
end

-- Whether there is no such field, which is said at its place.
local function is_missing(batch, field, path, at)
  if batch:has(field) then return false end
  at(path, batch.column, batch, field)
  return true
end

-- While a job is checked: a field that could not be made is there for those that come behind, its type not known.
local function stand_in(batch, field)
  if batch:has(field) then batch:remove(field) end
  batch:set(field, luaduct.null)
end

local function rename(batch, names)
  local there, missing = {}, {}
  for field, name in pairs(names) do
    if is_missing(batch, field, "rename." .. field, luaduct.at_name) then
      missing[#missing + 1] = name
    elseif name ~= field and not names[name] and batch:has(name) then -- there is one already: that is an error
      luaduct.at("rename." .. field, batch.rename, batch, {[field] = name})
    else
      there[field] = name
    end
  end
  luaduct.at("rename", batch.rename, batch, there)
  for _, name in ipairs(missing) do
    if not batch:has(name) then stand_in(batch, name) end
  end
end

local function select_fields(batch, fields)
  local there, missing, seen = {}, {}, {}
  for i, field in ipairs(fields) do
    local path = "select[" .. i .. "]"
    if seen[field] then -- that is an error
      luaduct.at(path, batch.select, batch, {field, field})
    else
      local list = is_missing(batch, field, path, luaduct.at) and missing or there
      list[#list + 1] = field
    end
    seen[field] = true
  end
  if #there > 0 then luaduct.at("select", batch.select, batch, there) end
  for _, field in ipairs(missing) do stand_in(batch, field) end
end

function stage.open(ctx)
  options = ctx.options
  for i, item in ipairs(options.set or {}) do
    local path = "set[" .. i .. "]"
    if (item.value == nil) == (item.expression == nil) then
      ctx.complain(path, "either a value or an expression is wanted")
    elseif item.expression ~= nil then
      if item.type then ctx.complain(path .. ".type", "only a value has a type; write cast(… as type) in the expression") end
      values[i] = luaduct.expression(item.expression, path .. ".expression")
    else
      if item.type then luaduct.check_constant(item.value, item.type, path .. ".value") end
      values[i] = constant(item, path .. ".value")
    end
  end
  if options.drop and options.select then
    ctx.complain("select", "drop and select exclude each other: what select does not name is dropped")
  end
end

function stage.process(batch)
  if options.rename then rename(batch, options.rename) end
  for field, type in pairs(options.cast or {}) do
    local column = luaduct.at_name("cast." .. field, batch.column, batch, field)
    local made = column and luaduct.at("cast." .. field, column.cast, column, type)
    if made then batch:set(field, made) elseif column then stand_in(batch, field) end
  end
  for i, item in ipairs(options.set or {}) do
    local value = values[i] and values[i](batch) -- not there only while a job is checked
    if value ~= nil then batch:set(item.field, value) else stand_in(batch, item.field) end
  end
  for i, field in ipairs(options.drop or {}) do
    luaduct.at("drop[" .. i .. "]", batch.remove, batch, field)
  end
  if options.select then select_fields(batch, options.select) end
end

return stage
