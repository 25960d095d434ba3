-- A loop in the function of gsub.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  string.gsub('x', 'x', function() while true do end end)
end

return stage
