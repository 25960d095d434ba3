-- An endless loop in close: the end of the job waits no longer than the budget.
-- run: fine
-- log: close failed: loop_close.lua:7: more than 1000000 instructions for one batch
local stage = {process = function() end}

function stage.close()
  while true do end
end

return stage
