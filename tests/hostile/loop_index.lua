-- A loop in __index.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local t = setmetatable({}, {__index = function() while true do end end})
  return t.x
end

return stage
