-- An error that is the batch.
-- run: dirty error without a text|batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  error(batch)
end

return stage
