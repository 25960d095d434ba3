-- An endless loop in open.
-- open: loop_open.lua:6: more than 1000000 instructions for one batch
local stage = {process = print}

function stage.open(ctx)
  while true do end
end

return stage
