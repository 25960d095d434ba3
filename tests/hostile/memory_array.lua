-- A table of numbers.
-- run: dirty out of its memory limit of 8 MiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local t = {}
  for i = 1, 1e9 do t[i] = i end
end

return stage
