-- A text that doubles.
-- run: dirty memory_doubling.lua:8: out of its memory limit of 8 MiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local s = 'x'
  while true do s = s .. s end
end

return stage
