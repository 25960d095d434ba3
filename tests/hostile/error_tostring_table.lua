-- An error whose text is none.
-- run: dirty error handler|must return a string
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  error(setmetatable({}, {__tostring = function() return {} end}))
end

return stage
