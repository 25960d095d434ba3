-- An error in __close on the way out of an error.
-- run: dirty second
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local t <close> = setmetatable({}, {__close = function() error('second') end})
  error('first')
end

return stage
