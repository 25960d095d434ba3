-- Calls that look at every row, for ever.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  while true do batch:count() end
end

return stage
