-- A number that is none, as a whole one.
-- run: dirty range of bigint|whole
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:set('x', 0/0)
  batch:set('y', batch.x:cast('bigint'))
end

return stage
