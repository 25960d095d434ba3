-- A loop in __pairs.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  for k in pairs(setmetatable({}, {__pairs = function() while true do end end})) do end
end

return stage
