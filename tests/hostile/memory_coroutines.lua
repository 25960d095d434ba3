-- Coroutines by the million.
-- run: dirty out of its memory limit of 8 MiB|more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local t = {}
  for i = 1, 1e9 do t[i] = coroutine.create(print) end
end

return stage
