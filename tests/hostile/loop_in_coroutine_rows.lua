-- The loop over rows stands in a coroutine, which counts by itself, and is thrown away before the time that is free is over.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local walk = coroutine.wrap(function() for row in batch:rows() do coroutine.yield(row.__offset__) end end)
  walk()
  walk = nil
  for _ = 1, 100 do local _ = ('x'):rep(10000) end
  while true do end
end

return stage
