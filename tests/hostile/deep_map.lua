-- batch:map in the function of batch:map.
-- run: dirty cannot be used inside
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:map({'__offset__'}, {'x'}, function() batch:map({'__offset__'}, {'y'}, function() end) end)
end

return stage
