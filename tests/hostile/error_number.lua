-- An error that is a number.
-- run: dirty 42
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  error(42)
end

return stage
