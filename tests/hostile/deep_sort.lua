-- Recursion through sort.
-- run: dirty stack overflow
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local function f() table.sort({2, 1}, f) end
  f()
end

return stage
