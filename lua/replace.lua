-- replace: finds texts, or what a pattern matches, and puts others in their place.
--
--   - name: tidy
--     kind: replace
--     rules:                            # in this order, each on what the one before has left
--       - {field: city, find: 区, with: District}
--       - {field: note, find: '\t', with: ' '}                          # \t \n \r \\ and \uXXXX are understood
--       - {field: text, find: '(\d+)-(?<b>\d+)', with: '$2/$1 ${b}', regex: true, case_sensitive: true}
--
-- All that is found is replaced; without case_sensitive: true the case of letters does not matter. A pattern is one of PCRE2.
-- NULL stays NULL. A rule is checked and run by a kernel in C, once per batch.

local luaduct = require "luaduct"

local stage = {}
local rules = {}

function stage.open(ctx)
  if type(ctx.options.rules) ~= "table" or #ctx.options.rules == 0 then
    ctx.complain("rules", "a list of rules is wanted, each with field, find and with")
    return
  end
  for i, rule in ipairs(ctx.options.rules) do
    local path = "rules[" .. i .. "]"
    local replacer = luaduct.at(path, luaduct.replacer, rule, path)
    if type(rule.field) == "string" then
      rules[#rules + 1] = {field = rule.field, replacer = replacer, place = path .. ".field"}
    elseif replacer then
      ctx.complain(path, "a rule needs a field, the name of a text field")
    end
  end
end

function stage.process(batch)
  for _, rule in ipairs(rules) do
    local column = luaduct.at(rule.place, batch.column, batch, rule.field)
    column = column and luaduct.at(rule.place, rule.replacer, column)
    if column then batch:set(rule.field, column) end -- not there only while a job is checked
  end
end

return stage
