-- Long texts are copied without an end.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local s = ('x'):rep(1 << 20)
  while true do s:upper() end
end

return stage
