-- Maps without end, each of them short, and their errors caught.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  while true do
    pcall(batch.map, batch, {'__offset__'}, {'x bigint'}, function(offset) return offset end)
  end
end

return stage
