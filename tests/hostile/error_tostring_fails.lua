-- An error whose text cannot be had.
-- run: dirty error handler|inner
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  error(setmetatable({}, {__tostring = function() error('inner') end}))
end

return stage
