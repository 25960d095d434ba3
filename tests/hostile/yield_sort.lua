-- A yield across table.sort.
-- run: dirty attempt to yield across a C-call boundary
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  coroutine.wrap(function() table.sort({2, 1}, coroutine.yield) end)()
end

return stage
