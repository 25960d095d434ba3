-- What was captured is looked for again, at each length and from each place.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return ('a'):rep(100000):find('(a+)%1b')
end

return stage
