-- A coroutine that resumes itself.
-- run: dirty cannot resume non-suspended coroutine
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  local c
  c = coroutine.create(function() return coroutine.resume(c) end)
  error((select(3, coroutine.resume(c))))
end

return stage
