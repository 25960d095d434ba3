-- Tail calls without end need no stack.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local function f() return f() end
  f()
end

return stage
