-- A loop in __close of a coroutine that is closed.
-- run: dirty closed|more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local c = coroutine.create(function()
    local t <close> = setmetatable({}, {__close = function() while true do end end})
    coroutine.yield()
  end)
  coroutine.resume(c)
  coroutine.close(c)
  error('closed')
end

return stage
