-- Code that no compiler made.
-- run: dirty attempt to load a binary chunk
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  assert(load('\27Lua\x54\0', 'x', 'b'))
end

return stage
