-- A chain of __index that bites its tail.
-- run: dirty loop
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local t = {}
  setmetatable(t, {__index = t})
  return t.x
end

return stage
