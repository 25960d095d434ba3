-- gsub searches a long text anew from each of its bytes.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return (('a'):rep(100000):gsub('a*b', ''))
end

return stage
