-- A yield across batch:map.
-- run: dirty attempt to yield across a C-call boundary
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  coroutine.wrap(function() batch:map({'__offset__'}, {'x'}, coroutine.yield) end)()
end

return stage
