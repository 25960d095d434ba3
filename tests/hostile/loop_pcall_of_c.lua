-- A loop that calls nothing but C functions.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  while true do pcall(pcall, pcall, error) end
end

return stage
