-- Sends rows that make no sense to the dirty store, with a reason, and mends what can be mended.
--
--   - name: check
--     kind: lua
--     file: check_rows.lua
--     options: {cities: [Shanghai, Beijing]}
--
-- Needs the fields amount (decimal) and city (string). Row by row, for what cannot be said over whole columns.

local luaduct = require "luaduct"

local stage = {}
local cities = {}
local zero = luaduct.decimal("0")

function stage.open(ctx)
  ctx.known{"cities"}
  for _, city in ipairs(ctx.options.cities or {}) do
    cities[city:lower()] = city
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
      row.city = cities[city:lower()] or city
    end
  end
end

return stage
