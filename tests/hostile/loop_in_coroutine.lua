-- A coroutine catches the budget's error and goes on.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local c = coroutine.wrap(function()
    while true do pcall(function() while true do end end) end
  end)
  while true do pcall(c) end
end

return stage
