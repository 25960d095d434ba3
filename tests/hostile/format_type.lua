-- A value that the format does not take.
-- run: dirty has no integer representation
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return ('%d'):format(0.5)
end

return stage
