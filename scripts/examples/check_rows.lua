-- Sends rows that make no sense to the dirty store, with a reason, and mends what can be mended.
--
--   - name: check
--     kind: lua
--     file: check_rows.lua
--     options: {cities: [Shanghai, Beijing]}
--
--   cities   how cities are spelt; a city that differs in its case alone is spelt so. Without it all stay as they are
--
-- Needs the fields amount (decimal) and city (string). Row by row, for what cannot be said over whole columns.

local luaduct = require "luaduct"

local stage = {}
local cities = {}
local zero = luaduct.decimal("0")
local lower = luaduct.text.lower -- of all scripts; Lua's own knows ASCII alone

function stage.open(ctx)
  ctx.known{"cities"}
  local list = ctx.options.cities or {}
  if type(list) ~= "table" then
    ctx.complain("cities", "a list of cities is wanted")
    return
  end
  for _, city in ipairs(list) do
    cities[lower(city)] = city
  end
end

function stage.process(batch)
  for row in batch:rows() do
    local city = row.city
    if row.amount == nil or row.amount < zero then
      row:dirty("the amount is missing or negative")
    elseif city == nil or city == "" then
      row:dirty("no city")
    else
      row.city = cities[lower(city)] or city
    end
  end
end

return stage
