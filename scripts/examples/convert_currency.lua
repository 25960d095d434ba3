-- Converts amounts into one currency, by rates in a CSV file, to the cent: decimals all along, halves away from zero.
--
--   - name: convert
--     kind: lua
--     file: convert_currency.lua
--     options: {rates: rates.csv, amount: amount, currency: currency, into: amount_cny, digits: 2}
--
--   rates      a file in the folder of this one with the columns currency and rate: how much one unit of the currency is worth.
--              The currency that all is converted into is in it as well, with rate 1. A change is taken while the job runs
--   amount     the field to convert, a decimal or bigint (a double is not exact, and refused)
--   currency   the field with the currency; its case and blanks around it do not count
--   into       the field that gets the result; the rate that was used goes to rate
--   digits     how many digits the result has behind the point; 2 without it, 0 for yen
--
-- Rows of a currency without a rate, and of none, are dirty. An amount that is NULL gives NULL.

local luaduct = require "luaduct"

local stage = {}
local rates, currency, amount, into, converted

function stage.open(ctx)
  local options = ctx.options
  local digits = options.digits or 2

  ctx.known{"rates", "amount", "currency", "into", "digits"}
  amount = options.amount or "amount"
  currency = options.currency or "currency"
  into = options.into or "converted"
  if math.type(digits) ~= "integer" or digits < 0 or digits > 10 then
    ctx.complain("digits", "a whole number from 0 to 10 is wanted")
    return
  end
  rates = luaduct.at("rates", luaduct.lookup, {file = options.rates, key = "currency", value = "rate decimal(18,8)"})
  converted = luaduct.expression(('round("%s" * rate, %d)'):format(amount:gsub('"', '""'), digits))
end

function stage.process(batch)
  if batch:column(amount):type() == "double" then
    error("field " .. amount .. " is a double, which is not exact; let the json stage make it a decimal", 0)
  end
  local rate = rates:column(batch:column(currency):trim():upper())

  batch:dirty(rate:is_null(), "no rate for the currency")
  batch:set("rate", rate)
  batch:set(into, converted(batch))
end

return stage
