-- process is no coroutine.
-- run: dirty attempt to yield from outside a coroutine
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  coroutine.yield()
end

return stage
