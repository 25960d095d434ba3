-- The handler of a plain error is a loop.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  xpcall(error, function() while true do end end, 'x')
end

return stage
