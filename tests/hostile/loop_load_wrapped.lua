-- A reader that is a coroutine.
-- run: dirty more than 1000000 instructions for one batch|at most 64 KiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  load(coroutine.wrap(function() while true do coroutine.yield(' ') end end))
  while true do end
end

return stage
