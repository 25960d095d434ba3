-- An output of a type that is none.
-- run: dirty is not a type
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:map({'__offset__'}, {'x y z'}, function() end)
end

return stage
