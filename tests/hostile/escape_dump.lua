-- A function as code.
-- run: dirty field 'dump'
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return string.dump(print)
end

return stage
