-- Each row fails shortly before the budget ends: the restarts of a batch have a budget as well.
-- run: dirty too slow|more than 10 times runtime.lua.instructions_max
-- log: more than 10 times runtime.lua.instructions_max together; 6 rows fail
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  for row in batch:rows() do
    for i = 1, 950000 do end
    error('too slow')
  end
end

return stage
