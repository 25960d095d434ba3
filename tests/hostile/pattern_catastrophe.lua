-- A pattern that tries every way to divide a text, in one call of find. What it tries counts as work.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return ('a'):rep(1000):find(('a-'):rep(30) .. 'b')
end

return stage
