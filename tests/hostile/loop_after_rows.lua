-- The loops over rows are short, and what comes after them never ends: it is counted as well.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  for row in batch:rows() do row.__key__ = 'x' end
  batch:map({'__offset__'}, {'x bigint'}, function(offset) return offset end)
  while true do end
end

return stage
