-- A loop to infinity.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  for i = 1, math.huge do end
end

return stage
