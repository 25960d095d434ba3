-- mask: hides the values of fields, each by a rule. What cannot be masked does not pass: see when_error.
--
--   - name: hide
--     kind: mask
--     rules:
--       - {field: mobile, rule: phone}                      # 138****5678; other forms: email, id_card, name, ip …
--       - {field: phone, rule: cover, before: 3, after: 4}
--       - {field: card, rule: segments, segments: [{show: 6}, {cover: rest}]}
--       - {field: code, rule: replace_chars, position: 2, length: 3, with: random}
--       - {field: email, rule: hash, algo: sha256, salt: "${env:SALT}", keep_empty: true}
--       - {fields: [user, parent], rule: pseudonym, domain: "${file:key}"}
--       - {field: age, rule: interval, intervals: [{to: 18, value: minor}, {from: 18, value: adult}]}
--       - {field: salary, rule: round, digits: -3}
--       - {field: note, rule: empty}
--
-- Every rule is a kernel in C, luaduct.mask.RULE, which takes a column and gives the masked one. Stages of your own can use them
-- as well: batch:set("phone", luaduct.mask.cover{before = 3, after = 4}(batch.phone)).

local luaduct = require "luaduct"

local stage = {}
local masks = {} -- field, kernel and option of each

function stage.open(ctx)
  local taken = {} -- fields, with the rule that has them

  for i, rule in ipairs(ctx.options.rules or {}) do
    local path = "rules[" .. i .. "]"
    local make = luaduct.mask[rule.rule]
    if (rule.field == nil) == (rule.fields == nil) then
      ctx.complain(path, "a rule needs either field, or fields for a list of them")
    end
    if make then
      local mask = luaduct.at(path, make, rule, path)
      for j, field in ipairs(rule.fields or {rule.field}) do
        local place = rule.fields and path .. ".fields[" .. j .. "]" or path .. ".field"
        if taken[field] then
          ctx.complain(place, "field " .. field .. " is masked by " .. taken[field] .. " already")
        end
        taken[field] = path
        masks[#masks + 1] = {field = field, hide = mask, place = place}
      end
    else
      ctx.complain(path .. ".rule", "there is no rule \"" .. tostring(rule.rule) .. "\"")
    end
  end
  if #masks == 0 then ctx.complain("rules", "a list of rules is wanted, each with field and rule") end
end

function stage.process(batch)
  local hidden = {}

  for i, mask in ipairs(masks) do
    local column = luaduct.at(mask.place, batch.column, batch, mask.field)
    hidden[i] = column and luaduct.at(mask.place, mask.hide, column)
  end
  -- Only when all of them are done: an error above fails every row, and no field is masked half.
  for i, mask in ipairs(masks) do
    if hidden[i] then
      batch:set(mask.field, hidden[i])
    elseif batch:has(mask.field) then -- only while a job is checked: those that come behind do not know its type
      batch:remove(mask.field)
      batch:set(mask.field, luaduct.null)
    end
  end
end

return stage
