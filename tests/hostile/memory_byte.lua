-- All bytes of a text on the stack.
-- run: dirty string slice too long|stack overflow|out of its memory limit of 8 MiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return (('x'):rep(2000000)):byte(1, -1)
end

return stage
