-- json: takes values out of a JSON text, by paths, into typed columns.
--
--   - name: parse
--     kind: json
--     from: __value__            # the field to parse; this is the default
--     expand: $.items            # optional: an array whose elements become rows; @ is the element
--     rest: others               # optional: a field for what no path took, as JSON text
--     columns:
--       - {name: id,    path: $.id,    type: bigint, required: true}
--       - {name: price, path: "@.price", type: "decimal(10,2)", default: "0.00"}
--
-- The options are checked and the rows are parsed by a kernel in C, once per batch.

local luaduct = require "luaduct"

local stage = {}
local options
local columns

function stage.open(ctx)
  options = ctx.options
  columns = luaduct.at("", luaduct.json_columns, options)
end

-- While a job is checked and options are wrong: the columns are there for those that come behind, as far as they are known.
local function stand_in(batch)
  for _, column in ipairs(options.columns or {}) do
    local name = column.name
    if name and not batch:has(name) and not pcall(batch.add, batch, name, column.type) then batch:set(name, luaduct.null) end
  end
  if options.rest then batch:set(options.rest, luaduct.null) end
end

function stage.process(batch)
  if columns then columns:run(batch) else stand_in(batch) end
end

return stage
