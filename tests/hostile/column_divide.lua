-- A division by zero.
-- run: dirty zero
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:set('x', batch.__offset__ // 0)
end

return stage
