-- Names without an end.
-- run: stop column_arena_names.lua:
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local name = ('n'):rep(1 << 16)
  for i = 1, 1e9 do
    batch:set(name .. i, 1)
    batch:remove(name .. i)
  end
end

return stage
