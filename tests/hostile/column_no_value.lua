-- Nothing for a column.
-- run: dirty bad argument
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:set('x')
end

return stage
