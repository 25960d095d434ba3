-- Recursion through pcall, twice each time.
-- run: dirty more than 1000000 instructions for one batch|C stack overflow
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local function f() pcall(f) pcall(f) end
  f()
  while true do end
end

return stage
