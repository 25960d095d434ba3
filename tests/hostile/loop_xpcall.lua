-- The handler of the budget's error is a loop.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  xpcall(function() while true do end end, function() while true do end end)
end

return stage
