-- Recursion without an end.
-- run: dirty stack overflow|out of its memory limit of 8 MiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local function f(n) return 1 + f(n + 1) end
  f(1)
end

return stage
