-- Recursion through gsub.
-- run: dirty stack overflow
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local function f() return (('x'):gsub('x', f)) end
  f()
end

return stage
