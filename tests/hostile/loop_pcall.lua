-- Every error is caught, that of the budget too.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  while true do
    pcall(function() while true do end end)
  end
end

return stage
