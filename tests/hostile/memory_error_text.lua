-- An error with a text of a million bytes: the reason is cut.
-- run: dirty xxxxxxxx
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  error(('x'):rep(1000000), 0)
end

return stage
