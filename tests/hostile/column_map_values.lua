-- Results that are no values.
-- run: dirty fits no column|cannot become
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:map({'__offset__'}, {'x'}, function() return batch end)
end

return stage
