-- A text that is loaded from pieces without an end.
-- run: dirty at most 64 KiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local piece = ('x'):rep(1 << 16)
  assert(load(function() return piece end))
end

return stage
