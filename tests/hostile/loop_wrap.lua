-- Coroutines that are short, without an end to their number.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  while true do
    coroutine.wrap(function() for i = 1, 900 do end end)()
  end
end

return stage
