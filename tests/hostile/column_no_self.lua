-- Methods without their object.
-- run: dirty column expected
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch.__offset__.eq(5, 6)
end

return stage
