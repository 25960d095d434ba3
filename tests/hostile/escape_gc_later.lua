-- A finalizer that comes after the metatable is never called.
-- run: fine
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local m = {}
  setmetatable({}, m)
  m.__gc = function() escaped = true end
  assert(not escaped)
end

return stage
