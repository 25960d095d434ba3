-- An error in batch:map whose text cannot be had.
-- run: dirty inner|error handler
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:map({'__offset__'}, {'x'}, function() error(setmetatable({}, {__tostring = function() error('inner') end})) end)
end

return stage
