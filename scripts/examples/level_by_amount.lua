-- Keeps the flagged rows above a minimum and gives each a level by its amount.
--
--   - name: level
--     kind: lua
--     file: level_by_amount.lua
--     options: {minimum: 100, silver: 400, gold: 800}
--
--   minimum, silver, gold   numbers; rows up to the minimum are left out, and amounts above silver and gold have these levels
--
-- Needs the fields amount (a number) and flag (boolean); adds the field level (string).
-- Whole columns at a time: no Lua runs per row.

local luaduct = require "luaduct"

local stage = {}
local minimum, silver, gold

-- As decimals, so that an option of 99.99 is that number and not the float next to it.
local function limit(ctx, name, default)
  local ok, value = pcall(luaduct.decimal, ctx.options[name] or default)
  if ok then return value end
  ctx.complain(name, "a number is wanted")
end

function stage.open(ctx)
  ctx.known{"minimum", "silver", "gold"}
  minimum = limit(ctx, "minimum", 100)
  silver = limit(ctx, "silver", 400)
  gold = limit(ctx, "gold", 800)
  if silver and gold and silver > gold then
    ctx.complain("silver", "silver must not be above gold")
  end
end

function stage.process(batch)
  local amount = batch.amount
  batch:keep(amount:gt(minimum) & batch.flag)
  batch:set("level", luaduct.choose(amount:gt(gold), "gold", luaduct.choose(amount:gt(silver), "silver", "bronze")))
end

return stage
