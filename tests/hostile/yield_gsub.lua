-- A yield across gsub.
-- run: dirty attempt to yield across a C-call boundary
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  coroutine.wrap(function() ('x'):gsub('x', coroutine.yield) end)()
end

return stage
