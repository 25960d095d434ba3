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
local function is_missing(batch, field, path)
  if batch:has(field) then return false end
  luaduct.at(path, batch.column, batch, field)
  return true
end

local function rename(batch, names)
  local missing = false
  for field in pairs(names) do missing = is_missing(batch, field, "rename." .. field) or missing end
  if not missing then luaduct.at("rename", batch.rename, batch, names) end
end

local function select_fields(batch, fields)
  local missing = false
  for i, field in ipairs(fields) do missing = is_missing(batch, field, "select[" .. i .. "]") or missing end
  if not missing then luaduct.at("select", batch.select, batch, fields) end
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
  rename(batch, options.rename or {})
  for field, type in pairs(options.cast or {}) do
    local column = luaduct.at("cast." .. field, batch.column, batch, field)
    column = column and luaduct.at("cast." .. field, column.cast, column, type)
    if column then batch:set(field, column) end
  end
  for i, value in ipairs(values) do
    value = value(batch)
    if value ~= nil then batch:set(options.set[i].field, value) end
  end
  for i, field in ipairs(options.drop or {}) do
    luaduct.at("drop[" .. i .. "]", batch.remove, batch, field)
  end
  if options.select then select_fields(batch, options.select) end
end

return stage
