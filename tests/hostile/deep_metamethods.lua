-- Recursion through metamethods.
-- run: dirty C stack overflow|stack overflow
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local t = setmetatable({}, {})
  getmetatable(t).__index = function(t, k) return t[k .. 'x'] end
  return t.x
end

return stage
