-- A long text that nearly stands at each place of a longer one.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return ('a'):rep(1 << 20):find(('a'):rep(1 << 18) .. 'b', 1, true)
end

return stage
