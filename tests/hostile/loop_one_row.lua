-- One endless row costs that row alone.
-- run: dirty (1) more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  for row in batch:rows() do
    while row.__offset__ == 103 do end
  end
end

return stage
