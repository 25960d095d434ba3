-- An earlier batch.
-- run: dirty first|this batch is over
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  if not old then
    old = batch
    error('first')
  end
  old:count()
end

return stage
