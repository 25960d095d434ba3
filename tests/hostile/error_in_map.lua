-- Errors of all kinds in batch:map.
-- run: dirty error without a text (a table)|error without a text (a function)
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:map({'__offset__'}, {'x'}, function(i) if i % 2 == 0 then error({}) else error(print) end end)
end

return stage
