-- An order that is none.
-- run: dirty invalid order function
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local t = {}
  for i = 1, 1000 do t[i] = i % 7 end
  table.sort(t, function() return true end)
end

return stage
