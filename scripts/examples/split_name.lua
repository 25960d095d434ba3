-- Splits a full name at its last blank into first_name and last_name.
--
--   - name: names
--     kind: lua
--     file: split_name.lua
--     options: {from: name}
--
--   from   the field with the full name; name without it
--
-- A name without a blank is a last name alone. NULL gives NULL twice.

local stage = {}
local from

function stage.open(ctx)
  ctx.known{"from"}
  from = ctx.options.from or "name"
end

function stage.process(batch)
  batch:map({from}, {"first_name string", "last_name string"}, function(name)
    if name == nil then return nil, nil end
    local first, last = name:match("^%s*(.-)%s+(%S+)%s*$")
    if last and first ~= "" then return first, last end
    return nil, name:match("^%s*(.-)%s*$")
  end)
end

return stage
