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
local columns

function stage.open(ctx)
  columns = luaduct.json_columns(ctx.options)
end

function stage.process(batch)
  columns:run(batch)
end

return stage
