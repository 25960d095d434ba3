-- The collector is not for scripts.
-- run: dirty only "count" is allowed
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  collectgarbage('stop')
end

return stage
