-- A loop in __concat.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return setmetatable({}, {__concat = function() while true do end end}) .. 'x'
end

return stage
