-- A loop in __close, entered by the error that a loop made.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local t <close> = setmetatable({}, {__close = function() while true do end end})
  while true do end
end

return stage
