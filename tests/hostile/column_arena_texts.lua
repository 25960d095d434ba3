-- Texts without an end.
-- run: stop column_arena_texts.lua:
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local s = ('x'):rep(1 << 20)
  for i = 1, 1e9 do batch:map({'__offset__'}, {'x string'}, function() return s end) end
end

return stage
