-- Methods of one thing for another.
-- run: dirty batch expected
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch.count(batch.__offset__)
end

return stage
