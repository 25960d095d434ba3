-- A loop in __tostring, called from C.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  print(setmetatable({}, {__tostring = function() while true do end end}))
end

return stage
