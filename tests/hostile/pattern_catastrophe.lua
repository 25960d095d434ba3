-- A pattern that tries every way to divide a text, in one call of a C function: no budget sees it. The hub sees that the worker does not come
-- back, ends the process and names the stage; the parent starts it again, as often as failover allows.
-- watchdog
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return ('a'):rep(1000):find(('a-'):rep(30) .. 'b')
end

return stage
