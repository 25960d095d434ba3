-- Large texts that are garbage at once: copying counts as work.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local s = ('x'):rep(1 << 20)
  for i = 1, 1e9 do local t = s .. i end
end

return stage
