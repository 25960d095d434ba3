-- Coroutines in coroutines.
-- run: dirty C stack overflow|stack overflow
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local function f() return coroutine.wrap(f)() end
  f()
end

return stage
