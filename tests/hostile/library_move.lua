-- table.move of nothing, very often.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  table.move({}, 1, 1 << 60, 2)
end

return stage
