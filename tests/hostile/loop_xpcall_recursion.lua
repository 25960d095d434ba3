-- A handler that fails, in which a handler fails.
-- run: dirty over: |more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local function handler() return xpcall(error, handler) end
  local ok, why = xpcall(error, handler)
  error('over: ' .. tostring(why))
end

return stage
