-- Adds what a table in a file says of a key: of a customer, a product, a shop.
--
--   - name: customer
--     kind: lua
--     file: enrich_by_lookup.lua
--     options: {file: customers.csv, key: customer_id, values: [customer_name, "discount decimal(5,4)"], missing: keep}
--
--   file      a .csv or .tsv with a head line, or a .json, in the folder of this file; a change of it is taken while the job runs
--   key       the field to look up, a text or a bigint, and the column of the file that has the same name
--   values    the columns of the file that become fields: "name", or "name type" for what is no text
--   missing   what becomes of a row whose key is NULL or not in the file: keep (its new fields are NULL; the default), dirty or
--             drop
--
-- Whole columns at a time: the file is searched in C.

local luaduct = require "luaduct"

local stage = {}
local customers, key, missing
local fields = {}

function stage.open(ctx)
  local options = ctx.options

  ctx.known{"file", "key", "values", "missing"}
  if type(options.values) ~= "table" or #options.values == 0 then
    ctx.complain("values", "a list of columns of the file is wanted, such as [name, \"discount decimal(5,4)\"]")
    return
  end
  missing = options.missing or "keep"
  if missing ~= "keep" and missing ~= "dirty" and missing ~= "drop" then
    ctx.complain("missing", "keep, dirty or drop is wanted")
  end
  key = options.key
  if type(key) ~= "string" then
    ctx.complain("key", "the name of a field is wanted")
    return
  end

  local columns = {key} -- found for each key that is there, even where all its values are empty
  for i, value in ipairs(options.values) do
    columns[i + 1] = value
    fields[i] = value:match("^%S+")
  end
  customers = luaduct.at("file", luaduct.lookup, {file = options.file, key = key, values = columns})
end

function stage.process(batch)
  local keys = batch:column(key)

  if missing ~= "keep" then
    local unknown = customers:column(keys, key):is_null()
    if missing == "drop" then
      batch:drop(unknown)
    else
      batch:dirty(unknown, "no such " .. key .. " in the lookup file")
    end
  end
  for _, field in ipairs(fields) do
    batch:set(field, customers:column(keys, field))
  end
end

return stage
