-- A stage without its environment.
-- run: fine
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local _ENV = {}
  x = 1
end

return stage
