-- A loop over rows that is left in a coroutine.
-- run: dirty cannot be used inside
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  coroutine.wrap(function() for row in batch:rows() do coroutine.yield() end end)()
  batch:set('x', 1)
end

return stage
