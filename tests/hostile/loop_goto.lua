-- A loop by goto.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  ::again::
  goto again
end

return stage
