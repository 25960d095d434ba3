-- Columns without an end: the memory of a batch is bounded, and the job stops and says so.
-- run: stop column_arena.lua:
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  for i = 1, 1e9 do batch:set('x', batch.__offset__ + i) end
end

return stage
