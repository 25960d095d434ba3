-- A function for a column.
-- run: dirty a column or a constant is wanted
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:set('x', print)
end

return stage
