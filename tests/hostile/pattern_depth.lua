-- A pattern deeper than the matcher goes.
-- run: dirty pattern too complex|too many captures
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return ('x'):rep(300000):find(('x?'):rep(300000) .. 'y')
end

return stage
