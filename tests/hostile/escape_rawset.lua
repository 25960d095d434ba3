-- The batch is no table.
-- run: dirty table expected
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  rawset(batch, 'x', 1)
end

return stage
