-- A bracket that is not closed, looked for behind each of a long row of brackets.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return ('('):rep(100000):find('%b()')
end

return stage
