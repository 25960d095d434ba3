-- Long texts are searched without an end: bytes that are looked at count as work.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local s = ('x'):rep(1 << 20)
  while true do s:find('y', 1, true) end
end

return stage
