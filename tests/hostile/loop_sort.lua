-- A loop in the order of a sort.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  table.sort({3, 2, 1}, function() while true do end end)
end

return stage
