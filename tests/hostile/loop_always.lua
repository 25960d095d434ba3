-- An endless loop with and without rows: check finds it.
-- check: loop_always.lua:7: more than 1000000 instructions for one batch
-- run: dirty loop_always.lua:7: more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  while true do end
end

return stage
