-- A column of an earlier batch.
-- run: dirty first|earlier batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  if not old then
    old = batch.__offset__
    error('first')
  end
  batch:set('x', old + 1)
end

return stage
