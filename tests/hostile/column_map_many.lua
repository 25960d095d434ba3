-- Too many outputs.
-- run: dirty a list of 1 to 64
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local t = {}
  for i = 1, 100 do t[i] = 'x' .. i end
  batch:map({'__offset__'}, t, function() end)
end

return stage
