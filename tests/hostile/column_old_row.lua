-- An earlier row.
-- run: dirty turn is over
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local old
  for row in batch:rows() do old = row end
  return old.__offset__
end

return stage
