-- A coroutine that is over.
-- run: dirty cannot resume dead coroutine
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local c = coroutine.wrap(function() end)
  c()
  c()
end

return stage
