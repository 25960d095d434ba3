-- Numbers that are none.
-- run: fine
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:set('x', 0/0)
  batch:set('y', batch.x:eq(0/0))
  batch:set('z', -(1/0))
end

return stage
