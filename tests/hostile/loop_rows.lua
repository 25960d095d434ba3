-- An endless loop over one row.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  for row in batch:rows() do
    while row.__offset__ do end
  end
end

return stage
