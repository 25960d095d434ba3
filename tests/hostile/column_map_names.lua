-- Outputs that are no texts.
-- run: dirty outputs are strings
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:map({'__offset__'}, {{}}, function() end)
end

return stage
