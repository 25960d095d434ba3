-- A table that holds itself.
-- run: dirty excessive nesting
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local t = {}
  t[1] = t
  return require('cjson').encode(t)
end

return stage
