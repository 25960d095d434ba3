-- Reasons that are long: they are cut.
-- run: set aside rrrrrrrr
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  for row in batch:rows() do row:dirty(('r'):rep(1 << 20)) end
end

return stage
