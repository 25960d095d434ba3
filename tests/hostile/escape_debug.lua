-- The debug library.
-- run: dirty global 'debug'
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  debug.sethook()
end

return stage
