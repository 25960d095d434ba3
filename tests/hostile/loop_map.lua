-- An endless loop in the function of batch:map.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:map({'__offset__'}, {'x bigint'}, function() while true do end end)
end

return stage
