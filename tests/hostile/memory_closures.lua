-- Functions in a list.
-- run: dirty out of its memory limit of 8 MiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local f
  for i = 1, 1e9 do
    local g = f
    f = function() return g, i end
  end
end

return stage
