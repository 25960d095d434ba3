-- An error whose text is a loop.
-- run: dirty more than 1000000 instructions for one batch|error in an error handler
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  error(setmetatable({}, {__tostring = function() while true do end end}))
end

return stage
