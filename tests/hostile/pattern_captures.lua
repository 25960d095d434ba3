-- A pattern of too many captures.
-- run: dirty too many captures
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return ('x'):find(('()'):rep(100))
end

return stage
