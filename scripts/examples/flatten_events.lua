-- Makes flat rows of nested events: one row for each element of an array, its values as columns, and one object of which nobody
-- knows the keys beforehand with all its levels as one, {"a": {"b": 1}} as {"a.b": 1}.
--
--   - name: events
--     kind: lua
--     file: flatten_events.lua
--     options:
--       expand: $.events
--       columns:
--         - {name: session, path: $.session,   type: string, required: true}
--         - {name: name,    path: "@.name",    type: string, required: true}
--         - {name: props,   path: "@.props",   type: json}
--       flatten: props
--
--   from, expand, columns   as of the kind json, which this stage is made of; @ is the element. Without expand a record is a row
--   flatten                 the column of type json to flatten; a value that is no object stays as it is
--   pairs                   true: a row for each key and value of it, in the new columns key and value (JSON), in place of one
--                           row with one object
--   separator               what stands between the names of the levels; "." without it
--
-- Arrays stay whole. Numbers keep all their digits. A key that comes out twice, as in {"a.b": 1, "a": {"b": 2}}, makes the row
-- dirty.

local luaduct = require "luaduct"
local json = luaduct.json

local stage = {}
local parse, split, flattened, separator

local function is_object(value)
  return type(value) == "table" and json.encode(value):sub(1, 1) == "{"
end

local function add(flat, prefix, object)
  for name, value in pairs(object) do
    local path = prefix .. name
    if is_object(value) and next(value) ~= nil then
      add(flat, path .. separator, value)
    elseif flat[path] ~= nil then
      error("the key " .. path .. " comes twice", 0)
    else
      flat[path] = value
    end
  end
  return flat
end

local function flatten(text)
  local value = text and json.decode(text)
  if not is_object(value) then return text end
  return json.encode(add({}, "", value))
end

local function to_pairs(text)
  local value = text and json.decode(text)
  if not is_object(value) then return nil end
  local list, flat = json.array(), add({}, "", value)
  for name in pairs(flat) do list[#list + 1] = name end
  table.sort(list)
  for i, name in ipairs(list) do list[i] = {key = name, value = flat[name]} end
  return json.encode(list)
end

function stage.open(ctx)
  local options = ctx.options

  ctx.known{"from", "expand", "columns", "flatten", "pairs", "separator"}
  parse = luaduct.json_columns{from = options.from, expand = options.expand, columns = options.columns}
  flattened, separator = options.flatten, options.separator or "."
  if type(flattened) ~= "string" then
    ctx.complain("flatten", "the name of a column of type json is wanted")
  end
  if options.pairs then
    split = luaduct.json_columns{from = "__pairs", expand = "$", columns = {
      {name = "key", path = "@.key", type = "string"},
      {name = "value", path = "@.value", type = "json"},
    }}
  end
end

function stage.process(batch)
  parse:run(batch)
  if split then
    batch:map({flattened}, {"__pairs string"}, to_pairs)
    split:run(batch)
    batch:remove("__pairs")
  else
    batch:map({flattened}, {flattened .. " json"}, flatten)
  end
end

return stage
