-- filter: keeps the rows for which a condition is true; the others are counted as filtered.
--
--   - name: big
--     kind: filter
--     condition: amount > 100 and city in ('x', 'y') and not (name like 'a%')
--
-- The condition is parsed once; it is computed by kernels in C, for all rows of a batch at a time. A row whose condition cannot
-- be computed (a division by zero) follows when_error.

local luaduct = require "luaduct"

local stage = {}
local condition

function stage.open(ctx)
  condition = luaduct.expression(ctx.options.condition, "condition", "boolean")
end

function stage.process(batch)
  batch:keep(condition(batch))
end

return stage
