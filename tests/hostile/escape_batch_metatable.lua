-- Another metatable for the batch.
-- run: dirty table expected
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  setmetatable(batch, {})
end

return stage
